import math

import numpy as np
import pytest

from visavis.errors import UsageError
from visavis.metrics import fmr, fnmr, threshold_at_fmr
from visavis.metrics.sorted_scores import SortedScores


@pytest.fixture(params=[np.float32, np.float64, "ties"])
def scores(request):
    rng = np.random.default_rng(0)
    mated, nonmated = rng.normal(0.5, 0.2, 300), rng.normal(0, 0.2, 2000)
    if request.param == "ties":
        mated, nonmated = np.round(mated, 1), np.round(nonmated, 1)
    else:
        mated, nonmated = mated.astype(request.param), nonmated.astype(request.param)
    mated[:7], nonmated[:20] = np.nan, np.nan
    return mated, nonmated


def test_it_agrees_with_the_functions_that_look_at_every_pair(scores):
    mated, nonmated = scores
    found = SortedScores.of(mated, nonmated)
    for rate in (0.0, 1e-4, 1e-3, 0.01, 0.5, 0.99, 1.0):
        threshold = found.threshold_at_fmr(rate)
        assert threshold == threshold_at_fmr(nonmated, rate)
        for near in (threshold, np.nextafter(threshold, -math.inf), np.nextafter(threshold, math.inf)):
            assert found.false_matches(near) / 2000 == fmr(nonmated, near)
            assert found.false_nonmatches(near) / 300 == pytest.approx(fnmr(mated, near))


def test_the_curve_is_one_of_true_operating_points(scores):
    mated, nonmated = scores
    curve = SortedScores.of(mated, nonmated).roc(30)
    assert curve["fmr"] == [fmr(nonmated, threshold) for threshold in curve["thresholds"]]
    assert np.allclose(curve["fnmr"], [fnmr(mated, threshold) for threshold in curve["thresholds"]])
    assert curve["fmr"] == sorted(curve["fmr"]) and len(curve["fmr"]) == len(set(curve["thresholds"]))


def test_a_rate_beyond_one_is_refused():
    with pytest.raises(UsageError):
        SortedScores.of([0.5], [0.1]).threshold_at_fmr(1.5)
