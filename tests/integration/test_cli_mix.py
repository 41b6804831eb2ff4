"""visavis mix and visavis overlap, as a user meets them."""

import csv

import numpy as np
import pytest

from commands import call
from portraits import save_two_people
from visavis.data.pack import Pack
from visavis.data.pack_writer import PackWriter


@pytest.fixture(scope="module")
def folder(tmp_path_factory, astronaut, officer):
    place = tmp_path_factory.mktemp("mix")
    (place / "people").mkdir()
    list(save_two_people(place / "people", astronaut, officer))
    (place / "one").mkdir()
    (place / "one" / "a").mkdir()
    (place / "one" / "a" / "0.png").write_bytes((place / "people" / "a" / "0.png").read_bytes())
    return place


@pytest.fixture(scope="module")
def packs(folder):
    from visavis.cli.app import main

    for name, more in (("people", ["--unlabelled"]), ("one", [])):
        with pytest.raises(SystemExit) as ended:
            main(["pack", str(folder / name), "--out", str(folder / f"{name}.pack"), *more])
        assert not ended.value.code
    return folder / "people.pack", folder / "one.pack"


def test_crops_are_mixed_without_labels(capfd, packs, tmp_path):
    ran = call(capfd, "mix", packs[0], "--out", tmp_path / "m", "--count", 9, "--seed", 2, "--json")
    assert (ran.code, ran.err) == (0, "") and (ran.json["count"], ran.json["labelled"]) == (9, False)
    assert len(Pack.open(tmp_path / "m")) == 9 and not Pack.open(packs[0]).meta.labelled
    told = call(capfd, "mix", packs[0], "--out", tmp_path / "n", "--count", 3)
    assert "3 mixed crops of" in told.out


def test_a_list_of_near_pictures_is_what_packing_leaves_out(capfd, packs, folder, tmp_path):
    out = tmp_path / "near.csv"
    ran = call(capfd, "overlap", packs[0], "--with", packs[1], "--out", out, "--json")
    assert ran.code == 0 and ran.json["pictures"] == 4
    rows = list(csv.DictReader(out.open()))
    assert rows[0]["path"] == rows[0]["nearest"] == "a/0.png" and float(rows[0]["similarity"]) > 0.999
    near = {row["path"] for row in rows if row["near"] == "1"}
    assert "a/0.png" in near and not near & {"b/0.png", "b/1.png"} and ran.json["near"] == len(near)
    kept = call(capfd, "pack", folder / "people", "--out", tmp_path / "kept", "--without", f"{out}:near", "--json")
    assert kept.code == 0 and not near & set(Pack.open(tmp_path / "kept").names)


def test_names_that_are_not_utf8_are_listed_as_the_bytes_that_they_are(capfd, packs, tmp_path):
    one = Pack.open(packs[1])
    with PackWriter(tmp_path / "bytes", about=one.meta) as writer:
        writer.add(np.array(one.pixels), ["a"] * len(one), ["caf\udce9.png"] * len(one))
    assert call(capfd, "overlap", tmp_path / "bytes", "--with", packs[1], "--out", tmp_path / "near.csv").code == 0
    assert (tmp_path / "near.csv").read_bytes().splitlines()[1].startswith(b"caf\xe9.png,1,")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["mix", "{pack}", "--out", "{new}", "--count", "0"], 2, "1 crop or more"),
        (["mix", "{one}", "--out", "{new}", "--count", "2"], 2, "2 or more"),
        (["mix", "{pack}", "--out", "{pack}", "--count", "2"], 2, "exists"),
        (["mix", "nothing", "--out", "{new}", "--count", "2"], 3, "not a sound pack"),
        (["overlap", "{pack}", "--with", "{one}", "--out", "{new}", "--above", "2"], 2, "-1..1"),
        (["overlap", "{pack}", "--with", "nothing", "--out", "{new}"], 3, "not a sound pack"),
        (["overlap", "{pack}", "--with", "{one}", "--out", "{new}", "--model", "none"], 4, "none"),
    ],
)
def test_what_cannot_be_done_says_why(capfd, packs, tmp_path, words, code, told):
    places = {"pack": packs[0], "one": packs[1], "new": tmp_path / "new"}
    ran = call(capfd, *(word.format(**places) for word in words))
    assert ran.code == code and told in ran.err and not (tmp_path / "new").exists()
