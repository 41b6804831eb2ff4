"""visavis pack, as a user meets it."""

import pytest
from PIL import Image

from commands import call
from portraits import save_two_people
from visavis.data.pack import Pack


@pytest.fixture(scope="module")
def people(tmp_path_factory, astronaut, officer):
    """Two people with two pictures each, and one picture of nobody."""
    folder = tmp_path_factory.mktemp("people")
    list(save_two_people(folder, astronaut, officer))
    Image.new("RGB", (300, 200), (90, 120, 150)).save(folder / "b" / "2.png")
    (folder / "without.csv").write_text("path,bad\na/0.png,0\na/1.png,1\n")
    return folder


def test_one_document_with_all_that_the_pack_says(capfd, people, tmp_path):
    ran = call(capfd, "pack", people, "--out", tmp_path / "p", "--size", 64, "--workers", 2, "--json")
    assert (ran.code, ran.err) == (0, "")
    pack = Pack.open(tmp_path / "p")
    assert (ran.json["count"], ran.json["size"], ran.json["identities"]) == (4, 64, 2) == (*pack.pixels.shape[:2], 2)
    assert [(row["name"], row["identity"], row["reason"]) for row in ran.json["failures"]] == [
        ("b/2.png", "b", "no-face")
    ]
    assert ran.json["roles"] == {"unlisted": 2} and ran.json["fingerprint"] == pack.meta.fingerprint


def test_pictures_on_a_list_are_left_out(capfd, people, tmp_path):
    ran = call(capfd, "pack", people, "--out", tmp_path / "p", "--without", f"{people}/without.csv:bad")
    assert ran.code == 0 and "3 crops of 2 identities" in ran.out and "by a list: 1 pictures" in ran.out
    assert list(Pack.open(tmp_path / "p").names) == ["a/0.png", "b/0.png", "b/1.png"]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--role", "training"], 2, "a role is one of"),
        (["--set", "nothing"], 2, "the ledger knows the sets"),
        (["--size", "0"], 2, "side of a crop"),
        (["--workers", "0"], 2, "at least 1|threads"),
        (["--aligned", "--detector", "x"], 2, "--aligned detects nothing"),
        (["--images", "x"], 2, "goes with a CSV list"),
        (["--split", "x"], 2, "goes with a data set"),
        (["--set", "lfw"], 2, "knows 0 of the 2 people"),
        (["--without", "none.csv"], 3, "cannot be read as a CSV list"),
        (["--without", "none.txt"], 3, "one a line"),
        (["--detector", "nothing"], 4, "nothing"),
        (["--aligned"], 3, "5 crop-size"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(capfd, people, tmp_path, options, code, words):
    ran = call(capfd, "pack", people, "--out", tmp_path / "p", *options)
    assert ran.code == code and any(word in ran.err for word in words.split("|")), ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_is_not_there(capfd, tmp_path):
    for source, code in (("nowhere", 3), ("nowhere.rec", 3), ("nowhere.csv", 3), ("x-{0..1}.tar", 3), ("x.bin", 2)):
        ran = call(capfd, "pack", tmp_path / source, "--out", tmp_path / "p")
        assert ran.code == code, ran.err


def test_the_data_set_is_told_with_how_it_was_found(capfd, tmp_path):
    """Folders that are named like people of CFP."""
    for person in ("001", "002", "003"):
        (tmp_path / "people" / person).mkdir(parents=True)
        Image.new("RGB", (16, 16)).save(tmp_path / "people" / person / "1.png")
    words = ("pack", tmp_path / "people", "--aligned", "--size", 16, "--role", "any", "--out")
    found = call(capfd, *words, tmp_path / "p")
    assert found.code == 0 and "data set cfp_dev (by the names of its people; --set none if by chance)" in found.out
    refused = call(capfd, *words, tmp_path / "q", "--set", "none", "--json")
    assert (refused.json["set_name"], refused.json["set_by"], refused.json["roles"]) == (None, "given", {"unlisted": 3})
    given = call(capfd, *words, tmp_path / "r", "--set", "cfp_dev")
    assert "data set cfp_dev (as given)" in given.out
