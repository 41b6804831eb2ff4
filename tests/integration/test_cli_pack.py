"""visavis pack, as a user meets it."""

import pytest
from PIL import Image

from commands import call
from visavis.data.pack import Pack


@pytest.fixture(scope="module")
def people(tmp_path_factory, astronaut, officer):
    """Two people with two pictures each, and one picture of nobody."""
    folder = tmp_path_factory.mktemp("people")
    for name, path in (("a", astronaut), ("b", officer)):
        (folder / name).mkdir()
        with Image.open(path) as portrait:
            picture = portrait.convert("RGB")
        picture.save(folder / name / "0.png")
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / name / "1.png")
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
        (["--without", "none.csv"], 3, "cannot be read as a CSV list"),
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
