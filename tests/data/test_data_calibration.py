"""What a calibration promises, on people that it was not fitted on."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from visavis.calibration.fit import fit_verification
from visavis.calibration.impostors import Impostors
from visavis.io import open_store, read
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.pairs import read_pairs
from visavis.types import FMR, Picture

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline()


@pytest.fixture(scope="module")
def lfw(shared_data, pipeline):
    store = open_store(shared_data / "lfw/lfw.tar")
    names = list(read_pairs(shared_data / "lfw/pairs.txt").images)
    templates = pipeline.embed([store.get(name) for name in names]).templates
    return templates.vectors, np.array([name.split("/")[-2] for name in names])


def test_the_interval_of_one_half_of_the_people_holds_on_the_other(lfw):
    """All hundred halves are in docs/results/calibration_coverage.json."""
    vectors, owner = lfw
    people = np.unique(owner)
    inside = np.zeros((12, 3), bool)
    for seed, row in enumerate(inside):
        half = np.isin(owner, np.random.default_rng(1000 + seed).permutation(people)[: len(people) // 2])
        ours, theirs = (Impostors.of_templates(vectors[part], owner[part].tolist()) for part in (half, ~half))
        fitted = fit_verification(ours, name="n", space="s", population="p", caution="c", provenance={})
        for column, rate in enumerate((1e-2, 1e-3, 1e-4)):
            interval = fitted.rate(FMR(rate), sample=theirs.people)
            realised = theirs.events(fitted.threshold(FMR(rate))) / theirs.total
            row[column] = interval.low <= realised <= interval.high
    assert (inside.sum(axis=0) >= 9).all()  # of 12 at 95 %: fewer happens once in five hundred


def test_the_shipped_table_touched_nobody_it_is_judged_on(pipeline):
    calibration = pipeline.calibration()
    for side in ("nonmated", "mated"):
        assert set(calibration.provenance[side]["roles"]) == {"calibrate"}
    assert calibration.space == pipeline.space.fingerprint
    assert {one.role for one in calibration.realised} <= {"test", "develop", "evidence"}
    assert calibration.groups.children.rate(1) > 100 * 1e-3


def test_children_are_far_more_alike_and_the_answer_says_so(shared_data, pipeline):
    rows = list(csv.DictReader((shared_data / "utkface/labels.csv").open()))
    young = [row["file"] for row in rows if 1 <= int(row["age"]) <= 4 and row["gender"] == row["race"] == "1"]
    store = open_store(shared_data / "utkface/utkface.tar")
    templates = pipeline.embed([store.get(name) for name in young[:12]]).templates
    scores = np.triu(templates.vectors @ templates.vectors.T, 1)
    left, right = np.unravel_index(scores.argmax(), scores.shape)
    decision = pipeline.compare(templates[int(left)], templates[int(right)], at=FMR(1e-3), children="yes")
    assert decision.similarity >= decision.threshold  # two different children
    assert decision.answer == "inconclusive" and decision.llr is None
    assert decision.warnings[0].startswith("the decision concerns a child under 13")
    unknown = pipeline.compare(templates[int(left)], templates[int(right)], at=FMR(1e-3))
    assert unknown.answer == "same" and unknown.warnings[0].startswith("if a child under 13 is concerned")


def test_a_blurred_picture_concludes_nothing(shared_data, pipeline):
    store = open_store(shared_data / "lfw/lfw.tar")
    names = ("George_W_Bush_0010", "George_W_Bush_0020")
    one, two = (read(store.get(f"George_W_Bush/{name}.jpg")).pixels for name in names)
    clear = pipeline.verify([Picture(one)], [Picture(two)], at=FMR(1e-3))
    assert clear.answer == "same"
    blurred = cv2.GaussianBlur(two, (0, 0), 7.0)
    decision = pipeline.verify([Picture(one)], [Picture(blurred)], at=FMR(1e-3))
    assert decision.answer == "inconclusive" and decision.reasons


def test_calibrate_leaves_everybody_out_whom_the_ledger_keeps_for_something_else(shared_data, tmp_path):
    out = tmp_path / "celeba.json"
    command = ["calibrate", str(shared_data / "celeba_ids/celeba_ids.tar"), "--population", "web photos", "--json"]
    visavis = Path(sys.executable).with_name("visavis")
    ran = subprocess.run([visavis, *command, "--out", str(out)], capture_output=True, check=True)
    record = json.loads(ran.stdout)
    assert record["people"] == 65 and record["provenance"]["nonmated"]["left_out"] == {"develop": 61, "train": 130}
    assert set(record["provenance"]["mated"]["roles"]) == {"calibrate"}
    pictures = [tmp_path / "a.png", tmp_path / "b.png"]
    store = open_store(shared_data / "lfw/lfw.tar")
    for path, name in zip(
        pictures, ("Aaron_Eckhart/Aaron_Eckhart_0001.jpg", "Aaron_Guiel/Aaron_Guiel_0001.jpg"), strict=True
    ):
        cv2.imwrite(str(path), read(store.get(name)).pixels[..., ::-1])
    verify = [visavis, "verify", *map(str, pictures), "--calibration", str(out), "--at", "fmr=1e-2", "--json"]
    answer = json.loads(subprocess.run(verify, capture_output=True, check=True).stdout)
    assert (answer["answer"], answer["calibration"], answer["population"]) == ("different", "celeba", "web photos")
