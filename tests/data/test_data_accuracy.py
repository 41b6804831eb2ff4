"""What the default pipeline reaches on the shared face data; the shipped threshold is judged on people it never saw."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from visavis.io import open_store, read
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.pairs import read_pairs
from visavis.runtime.session import EngineOptions
from visavis.types import FMR

pytestmark = pytest.mark.data

SETS = {
    "lfw": ("lfw/pairs.txt", "lfw/lfw.tar", 6000, 0.993),
    "ff": ("cfp_dev/pairs_FF.csv", "cfp_dev/cfp_dev.tar", 3500, 0.992),
    "fp": ("cfp_dev/pairs_FP.csv", "cfp_dev/cfp_dev.tar", 3500, 0.94),
}


@pytest.fixture(scope="module")
def evaluated(shared_data):
    found = {}
    for name, (pairs, images, _, _) in SETS.items():
        command = ["evaluate", "pairs", str(shared_data / pairs), "--images", str(shared_data / images), "--json"]
        visavis = Path(sys.executable).with_name("visavis")
        found[name] = json.loads(subprocess.run([visavis, *command], capture_output=True, check=True).stdout)
    return found


@pytest.mark.parametrize("name", SETS)
def test_accuracy_with_one_written_rule(evaluated, name):
    result = evaluated[name]
    _, _, pairs, least = SETS[name]
    assert result["pairs"] == pairs
    assert result["accuracy"] >= least
    assert result["accuracy_interval"][0] < result["accuracy"] < result["accuracy_interval"][1]
    assert set(result["roles"]) == {"test"}


def test_true_accept_rate_on_lfw(evaluated):
    assert evaluated["lfw"]["tar_at_far"]["1e-3"] >= 0.983
    assert evaluated["lfw"]["failed"] == 0


def test_the_shipped_threshold_keeps_its_rate_on_people_it_was_not_fitted_on(evaluated):
    shipped = evaluated["lfw"]["shipped"]
    low, high = shipped["fmr_interval"]
    assert low <= 1e-3 <= high
    assert shipped["fnmr"] < 0.03


def test_few_frontal_and_profile_pictures_fail(evaluated):
    assert evaluated["ff"]["fta"]["rate"] == 0
    assert evaluated["fp"]["fta"]["rate"] < 0.01


@pytest.fixture(scope="module")
def crops(shared_data):
    pipeline, store = Pipeline(), open_store(shared_data / "lfw/lfw.tar")
    pairs = read_pairs(shared_data / "lfw/pairs.txt")
    pictures, faces = pipeline.detect([store.get(name) for name in pairs.images], which="central")
    return pairs, pipeline.aligner.align(pictures, faces)


def _engines():
    yield "onnxruntime", "fp32"
    try:
        from visavis.runtime.openvino_session import precisions

        yield from (("openvino", precision) for precision in precisions())
    except ImportError:
        pass


@pytest.mark.parametrize(("engine", "precision"), list(_engines()))
def test_grouping_and_threads_change_no_decision(crops, engine, precision):
    pairs, found = crops
    serial = Pipeline(engine=EngineOptions(engine=engine, precision=precision, threads=1))
    threaded = Pipeline(engine=EngineOptions(engine=engine, precision=precision, threads=8))
    one = np.concatenate([serial.embedder.embed(found[row]).vectors for row in range(len(found))])
    many = threaded.embedder.embed(found).vectors
    if engine == "onnxruntime":
        assert np.array_equal(one, many)
    assert (1 - np.einsum("nd,nd->n", one.astype(float), many.astype(float))).max() <= 1e-5
    left, right = pairs.positions()
    threshold = serial.calibration().threshold(FMR(1e-3))
    decisions = [np.einsum("pd,pd->p", v[left].astype(float), v[right].astype(float)) >= threshold for v in (one, many)]
    assert np.array_equal(*decisions)


def test_one_face_is_found_in_every_wild_photo(shared_data):
    photos = sorted((shared_data / "wild_photos").glob("*.jpg"))
    faces = Pipeline().detect(photos)[1]
    counts = np.bincount(faces.picture[faces.ok], minlength=len(photos))
    assert (counts >= 1).all()
    assert (counts > 1).sum() <= 2


def test_group_photos_are_found_face_by_face(shared_data):
    rows = [line.split(",") for line in (shared_data / "dlib_faces/labels.csv").read_text().splitlines()[1:]]
    hit = 0
    for name in {row[0] for row in rows}:
        picture = read(shared_data / "dlib_faces" / name)
        boxes = Pipeline().detect([picture])[1].boxes
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        for row in rows:
            if row[0] == name:
                left, top, right, bottom = map(float, row[2:6])
                inside = (centres > [left, top]) & (centres < [right, bottom])
                hit += bool(inside.all(axis=1).any())
    assert hit / len(rows) >= 0.95


def test_the_committed_ledger_is_the_shared_one(shared_data):
    import visavis.protocols

    committed = Path(visavis.protocols.__file__).with_name("people.csv")
    assert committed.read_bytes() == (shared_data / "people.csv").read_bytes()
