"""Galleries out, in and to another model, by the command line."""

import csv
import json
import pickle
import shutil

import numpy as np
import pytest

from commands import call
from portraits import save_two_people
from visavis.cli.app import main
from visavis.gallery.gallery import Gallery

pytestmark = pytest.mark.usefixtures("one_pipeline")
pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def made(tmp_path_factory, astronaut, officer):
    folder = tmp_path_factory.mktemp("made")
    (folder / "people").mkdir()
    list(save_two_people(folder / "people", astronaut, officer))
    with pytest.raises(SystemExit) as stop:
        main(["enrol", str(folder / "people"), "--gallery", str(folder / "a.gallery")])
    assert stop.value.code == 0
    return folder


@pytest.fixture
def place(made, tmp_path):
    """A folder with pictures of two people, and a gallery of them."""
    return shutil.copytree(made, tmp_path / "place")


def vectors(path):
    made = Gallery.open(path)
    return {
        person.person: made.vectors([found.sample for found in made.samples(person.person)])
        for person in made.people()
    }  # fmt: skip


def same(one, two, *, tolerance=0.0):
    assert set(one) == set(two)
    for person, rows in one.items():
        np.testing.assert_allclose(np.sort(rows, axis=0), np.sort(two[person], axis=0), atol=tolerance)


@pytest.mark.parametrize("name", [pytest.param("copy.tar", marks=pytest.mark.slow), "copy"])
def test_a_whole_gallery(capfd, place, name):
    ran = call(capfd, "gallery", "export", place / "a.gallery", "--out", place / name, "--json")
    assert {key: ran.json[key] for key in ("people", "samples", "crops", "notes")} == {
        "people": 2, "samples": 4, "crops": 4, "notes": [],
    }  # fmt: skip
    told = call(capfd, "gallery", "import", place / name, "--gallery", place / "b.gallery", "--json").json
    assert (told["made"], told["people"], told["samples"], told["known"]) == (True, 2, 4, 0)
    same(vectors(place / "a.gallery"), vectors(place / "b.gallery"))
    again = call(capfd, "gallery", "import", place / name, "--gallery", place / "b.gallery")
    assert "0 people and 0 samples into" in again.out and "4 were there" in again.out
    assert call(capfd, "gallery", "check", place / "b.gallery").code == 0


@pytest.mark.parametrize("name", ["faces.npz", "faces.csv", "faces.parquet"])
def test_faces_for_other_programs(capfd, place, name):
    ran = call(capfd, "gallery", "export", place / "a.gallery", "--out", place / name, "--json")
    assert (ran.json["people"], ran.json["samples"]) == (2, 4)
    model = ["--model", "embedder/sface.2021dec"] if name.endswith("csv") else []
    told = call(capfd, "gallery", "import", place / name, "--gallery", place / "b.gallery", *model, "--json").json
    assert (told["people"], told["samples"]) == (2, 4)
    same(vectors(place / "a.gallery"), vectors(place / "b.gallery"), tolerance=1e-6)
    again = call(capfd, "gallery", "import", place / name, "--gallery", place / "a.gallery", "--json").json
    assert (again["samples"], again["known"]) == (0, 4)


def test_people_for_faiss(capfd, place):
    faiss = pytest.importorskip("faiss")
    ran = call(capfd, "gallery", "export", place / "a.gallery", "--out", place / "a.faiss")
    assert "2 people" in ran.out and "a.faiss.people.csv" in ran.out
    with (place / "a.faiss.people.csv").open(newline="") as file:
        who = {int(row["id"]): row["person"] for row in csv.DictReader(file)}
    index = faiss.read_index(str(place / "a.faiss"))
    made = Gallery.open(place / "a.gallery")
    for part in made.changes(0):
        for key, row in zip(part.keys.tolist(), part.vectors, strict=True):
            np.testing.assert_array_equal(index.reconstruct(key), row)
            assert made.people_of([key])[key].person == who[key]
    call(capfd, "gallery", "import", place / "a.faiss", "--gallery", place / "b.gallery", "--model", "sface.2021dec")
    assert {person: len(rows) for person, rows in vectors(place / "b.gallery").items()} == {"a": 1, "b": 1}


_SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("t.csv", "t.parquet")]


@pytest.mark.parametrize("name", ["t.npz", "t.vvt", *_SLOW])
def test_what_visavis_embed_writes_comes_in(capfd, place, name):
    """The faces that `embed` finds are those that `enrol` finds."""
    embedded = call(capfd, "embed", place / "people", "--out", place / name)
    assert embedded.code == 0, embedded.err
    model = ["--model", "embedder/sface.2021dec"] if name in ("t.csv", "t.parquet") else []
    ran = call(capfd, "gallery", "import", place / name, "--gallery", place / "b.gallery", *model, "--json")
    assert ran.code == 0, ran.err
    assert (ran.json["people"], ran.json["samples"]) == (2, 4)
    same(vectors(place / "a.gallery"), vectors(place / "b.gallery"), tolerance=1e-6 if name != "t.vvt" else 0.004)


def deepface(path, rows):
    box = {"target_x": 1, "target_y": 2, "target_w": 30, "target_h": 40}
    path.write_bytes(
        pickle.dumps([{"identity": name, "hash": "0" * 40, "embedding": vector, **box} for name, vector in rows])
    )
    return path


def test_deepface_and_spaces_of_others(capfd, place):
    rows = [("db/ann/1.jpg", [3.0, 4.0]), ("db/ann/2.jpg", [1.0, 0.0]), ("db/bob/1.jpg", [0.0, 2.0])]
    path = deepface(place / "ds_model_facenet_detector_opencv.pkl", rows)
    refused = call(capfd, "gallery", "import", path, "--gallery", place / "f.gallery").refused(4)
    assert "--model NAME" in refused and "--foreign NAME" in refused
    ran = call(capfd, "gallery", "import", path, "--gallery", place / "f.gallery", "--foreign", "facenet", "--json")
    assert (ran.json["people"], ran.json["samples"], ran.json["made"]) == (2, 3, True)
    assert "not of unit length" in ran.json["notes"][0]
    made = Gallery.open(place / "f.gallery")
    assert made.info.made_by.model == "foreign/facenet" and made.dimension == 2
    assert [event.detail["space"] for event in made.events() if event.what == "imported"] == ["said by the user"]
    call(capfd, "gallery", "export", place / "f.gallery", "--out", place / "f.csv")
    words = ["--gallery", place / "g.gallery", "--foreign"]
    call(capfd, "gallery", "import", place / "f.csv", *words, "arcface").refused(2)
    assert call(capfd, "gallery", "import", place / "f.csv", *words, "facenet").code == 0
    same(vectors(place / "f.gallery"), vectors(place / "g.gallery"), tolerance=1e-6)
    # The same name is the same space; another one, and every model of visavis, is another.
    assert call(capfd, "gallery", "import", path, "--gallery", place / "f.gallery", "--foreign", "facenet").code == 0
    for words in (["--foreign", "arcface"], ["--model", "embedder/sface.2021dec"]):
        call(capfd, "gallery", "import", path, "--gallery", place / "f.gallery", *words).refused(4)
    call(capfd, "gallery", "import", path, "--gallery", place / "a.gallery", "--foreign", "facenet").refused(4)
    call(capfd, "gallery", "migrate", place / "f.gallery", "--model", "visavis-s").refused(4)
    assert not [path for path in place.iterdir() if path.name.startswith(".")]


def test_a_gallery_moves_to_another_model(capfd, place):
    ran = call(capfd, "gallery", "migrate", place / "a.gallery", "--model", "visavis-s", "--out", place / "m.gallery")
    assert ran.code == 0, ran.err
    assert "4 samples of 2 people, 4 embedded" in ran.out
    told = call(capfd, "gallery", "migrate", place / "a.gallery", "--model", "visavis-s", "--json").json
    assert (told["embedded"], told["samples"], told["model"]) == (4, 4, "embedder/visavis-s")
    same(vectors(place / "a.gallery"), vectors(place / "m.gallery"), tolerance=1e-6)
    call(capfd, "enrol", place / "people", "--gallery", place / "a.gallery").refused(4)
    enrolled = call(capfd, "enrol", place / "people", "--gallery", place / "n.gallery", "--model", "visavis-s")
    assert enrolled.code == 0
    same(vectors(place / "n.gallery"), vectors(place / "a.gallery"), tolerance=1e-6)
    assert call(capfd, "gallery", "check", place / "a.gallery").code == 0
    call(capfd, "gallery", "migrate", place / "a.gallery", "--model", "visavis-s").refused(2)
    words = ["--model", "visavis-s", "--keep-old", "--out", place / "n.gallery"]
    call(capfd, "gallery", "migrate", place / "m.gallery", *words).refused(2)


def test_options_that_would_do_nothing_are_refused(capfd, place):
    call(capfd, "gallery", "export", place / "a.gallery", "--out", place / "x.tar")
    np.savez(place / "x.npz", ids=np.array(["a"]), vectors=np.ones((1, 128)))
    (place / "x.txt").touch()
    for words in (
        ["export", place / "a.gallery", "--out", place / "x.txt"],
        ["export", place / "a.gallery", "--out", place / "y.npz", "--no-crops"],
        ["export", place / "a.gallery", "--out", place / "nowhere" / "y.npz"],
        ["import", place / "x.tar", "--gallery", place / "b.gallery", "--foreign", "x"],
        ["import", place / "x.tar", "--gallery", place / "b.gallery", "--several"],
        ["import", place / "x.npz", "--gallery", place / "b.gallery", "--flip"],
        ["import", place / "x.npz", "--gallery", place / "b.gallery", "--foreign", "x", "--model", "sface.2021dec"],
        ["import", place / "x.npz", "--gallery", place / "b.gallery", "--foreign", ""],
        ["import", place / "x.npz", "--gallery", place / "b.gallery", "--foreign", "x", "--storage", "int4"],
        ["import", place / "x.npz", "--gallery", place / "a.gallery", "--storage", "int8"],
        ["import", place / "x.txt", "--gallery", place / "b.gallery"],
        ["import", place / "x.faiss", "--gallery", place / "b.gallery", "--person", "file"],
        ["import", place / "x.pkl", "--gallery", place / "b.gallery", "--several"],
    ):
        call(capfd, "gallery", *words).refused(2)
    assert not (place / "b.gallery").exists()


def test_errors_are_one_document(capfd, place):
    (place / "x.pkl").write_bytes(pickle.dumps([np.float64(1)]))
    ran = call(capfd, "gallery", "import", place / "x.pkl", "--gallery", place / "b.gallery", "--json")
    assert ran.code == 3 and json.loads(ran.out)["error"]["reason"] == "pickle.refused"
    ran = call(capfd, "gallery", "export", place / "nowhere", "--out", place / "x.tar", "--json")
    assert ran.code == 3 and ran.json["error"]["reason"] == "gallery.missing"
