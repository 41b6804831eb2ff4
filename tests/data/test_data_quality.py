"""On test people: the fused score knows which comparisons go wrong, random does not, ordinary faces keep the limits."""

import csv

import numpy as np
import pytest

from visavis.data.degradation.degrade import Degrading
from visavis.io import open_store
from visavis.pipeline.assess import assess_stream
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.pairs import PairList, read_pairs
from visavis.protocols.quality import evaluate_quality
from visavis.quality.standard.geometry import chin_distance

pytestmark = pytest.mark.data


def some(listed, folds):
    kept = np.flatnonzero(np.isin(listed.fold, folds))

    def pick(column):
        return tuple(column[row] for row in kept)

    return PairList(
        pick(listed.image1), pick(listed.image2), listed.same[kept], None, pick(listed.person1), pick(listed.person2)
    )


def test_discarding_by_the_fused_score_removes_most_errors_of_profiles(shared_data):
    folder = shared_data / "cfp_dev"
    listed = some(read_pairs(folder / "pairs_FP.csv"), [1])
    found = evaluate_quality(
        Pipeline(), [listed], open_store(folder / "cfp_dev.tar"), set_name="cfp_dev", measures=["norm"], resamples=300
    ).to_dict()
    assert set(found["roles"]) == {"test"} and not found["ungated"]
    assert found["measures"]["quality"]["difference_interval"][1] < 0
    low, high = found["random"]["difference_interval"]
    assert low < 0 < high


def test_the_fused_score_knows_degraded_faces_too(shared_data):
    """Half of the pictures degraded by the whole test set, operators among them that nothing was fitted with."""
    folder = shared_data / "cfp_dev"
    listed = some(read_pairs(folder / "pairs_FF.csv"), [1])
    found = evaluate_quality(
        Pipeline(), [listed], open_store(folder / "cfp_dev.tar"), set_name="cfp_dev", measures=["norm"], resamples=200,
        degrade=Degrading("test"),
    ).to_dict()  # fmt: skip
    fused = found["measures"]["quality"]
    assert fused["difference_interval"][1] < 0 and fused["behind_fused"] == 0 and not found["ungated"]
    assert found["oracle"]["pauc"] < fused["pauc"] < found["acquisition"]["pauc"] < found["random"]["pauc"]


def test_the_chin_lies_where_the_standard_measures_take_it(shared_data):
    """Manual 68 points of people in group photos: chin, middles of the eyes, mouth corners."""
    ratios = []
    for row in csv.DictReader((shared_data / "dlib_faces/labels.csv").open()):
        points = np.array([[float(row[f"x{number}"]), float(row[f"y{number}"])] for number in range(68)])
        left, right, mouth = points[36:42].mean(axis=0), points[42:48].mean(axis=0), (points[48] + points[54]) / 2
        middle = (left + right) / 2
        taken = chin_distance(*(np.array([np.linalg.norm(one)]) for one in (right - left, mouth - middle)))
        ratios.append(taken[0] / np.linalg.norm(points[8] - middle))
    assert len(ratios) > 40 and np.median(ratios) == pytest.approx(1, abs=0.05)
    assert np.quantile(ratios, 0.1) > 0.88 and np.quantile(ratios, 0.9) < 1.12


def test_hardly_an_ordinary_face_fails_the_limits(shared_data):
    store = open_store(shared_data / "lfw/lfw.tar")
    names = [name for name in store.names() if name.endswith(".jpg")][::40]
    unfit = [bool(row) for part in assess_stream(Pipeline(), [store.get(name) for name in names]) for row in part.unfit]
    assert len(unfit) > 300 and sum(unfit) <= 0.01 * len(unfit)
