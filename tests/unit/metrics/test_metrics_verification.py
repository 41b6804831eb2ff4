from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from visavis.errors import UsageError
from visavis.metrics import auc, det, dprime, eer, fmr, fnmr, fnmr_at_fmr, roc, tar_at_far, threshold_at_fmr

scores = st.lists(st.one_of(st.integers(-4, 4).map(lambda v: v / 4), st.just(math.nan)), min_size=1, max_size=25)


def slow_threshold(nonmated, target):
    """Smallest candidate threshold that keeps the target, by trying all of them."""
    valid = sorted({value for value in nonmated if not math.isnan(value)})
    candidates = [-math.inf, *(np.nextafter(value, math.inf) for value in valid)]
    return next(t for t in candidates if sum(v >= t for v in nonmated) / len(nonmated) <= target)


@settings(max_examples=200, deadline=None)
@given(scores, st.floats(0, 1))
def test_threshold_is_the_smallest_that_meets_the_target(nonmated, target):
    threshold = threshold_at_fmr(nonmated, target)
    assert threshold == slow_threshold(nonmated, target)
    assert fmr(nonmated, threshold) <= target


@settings(max_examples=100, deadline=None)
@given(scores, scores, st.data())
def test_integer_weights_are_repetition(mated, nonmated, data):
    left = data.draw(st.lists(st.integers(0, 3), min_size=len(mated), max_size=len(mated)))
    right = data.draw(st.lists(st.integers(0, 3), min_size=len(nonmated), max_size=len(nonmated)))
    if sum(left) == 0 or sum(right) == 0:
        assert math.isnan(eer(mated, nonmated, mated_weights=left, nonmated_weights=right))
        return
    many, more = np.repeat(mated, left), np.repeat(nonmated, right)
    weighted = {"mated_weights": left, "nonmated_weights": right}
    np.testing.assert_equal(eer(mated, nonmated, **weighted), eer(many, more))
    np.testing.assert_allclose(auc(mated, nonmated, **weighted), auc(many, more), atol=1e-12)
    for far in (0.0, 0.1, 0.5, 1.0):
        assert tar_at_far(mated, nonmated, far=far, **weighted) == tar_at_far(many, more, far=far)


@settings(max_examples=100, deadline=None)
@given(scores, scores)
def test_auc_is_the_mann_whitney_count_with_failures_lowest(mated, nonmated):
    lowest = [[-9.0 if math.isnan(v) else v for v in side] for side in (mated, nonmated)]
    wins = [(a > b) + 0.5 * (a == b) for a in lowest[0] for b in lowest[1]]
    assert auc(mated, nonmated) == pytest.approx(np.mean(wins))


@settings(max_examples=100, deadline=None)
@given(scores, scores, st.randoms())
def test_curve_is_monotone_and_independent_of_order(mated, nonmated, random):
    curve = roc(mated, nonmated)
    assert (np.diff(curve.fmr) >= 0).all() and (np.diff(curve.fnmr) <= 0).all()
    shuffled = random.sample(mated, len(mated)), random.sample(nonmated, len(nonmated))
    np.testing.assert_array_equal(roc(*shuffled).fnmr, curve.fnmr)
    for far in (0.0, 0.2, 1.0):
        assert curve.fnmr_at(far) == fnmr_at_fmr(mated, nonmated, fmr=far)


def test_roc_agrees_with_sklearn():
    rng = np.random.default_rng(1)
    mated, nonmated = rng.normal(1, 1, 300).round(1), rng.normal(0, 1, 400).round(1)
    label, value = np.repeat([1, 0], [300, 400]), np.concatenate([mated, nonmated])
    false, true, _ = roc_curve(label, value, drop_intermediate=False)
    curve = roc(mated, nonmated)
    np.testing.assert_allclose(curve.fmr, false)
    np.testing.assert_allclose(1 - curve.fnmr, true)
    assert auc(mated, nonmated) == pytest.approx(roc_auc_score(label, value))


def test_two_gaussians_have_closed_forms():
    rng, normal = np.random.default_rng(2), NormalDist()
    mated, nonmated = rng.normal(2, 1, 400_000), rng.normal(0, 1, 400_000)
    assert dprime(mated, nonmated) == pytest.approx(2, abs=0.01)
    assert eer(mated, nonmated) == pytest.approx(normal.cdf(-1), abs=0.002)
    assert auc(mated, nonmated) == pytest.approx(normal.cdf(2 / math.sqrt(2)), abs=0.002)
    assert threshold_at_fmr(nonmated, 0.01) == pytest.approx(normal.inv_cdf(0.99), abs=0.02)
    assert tar_at_far(mated, nonmated, far=0.01) == pytest.approx(normal.cdf(2 - normal.inv_cdf(0.99)), abs=0.005)
    line = det(mated[:20_000], nonmated[:20_000])
    middle = (line.fmr > 0.01) & (line.fnmr > 0.01)
    assert np.polyfit(line.fmr_deviate[middle], line.fnmr_deviate[middle], 1)[0] == pytest.approx(-1, abs=0.05)


@pytest.mark.parametrize("weighting", [0.1, 1 / 3, 0.7])
def test_fractional_weights_keep_rates_inside_zero_and_one(weighting):
    rng = np.random.default_rng(3)
    mated, nonmated = rng.normal(1, 1, 999), rng.normal(0, 1, 999)
    weights = np.full(999, weighting) * rng.random(999)
    curve = roc(mated, nonmated, mated_weights=weights, nonmated_weights=weights)
    assert curve.fmr[-1] == 1.0 and curve.fnmr[-1] == 0.0
    assert threshold_at_fmr(nonmated, 1.0, weights=weights) == -math.inf


def test_a_failed_mated_pair_is_an_error_and_a_failed_nonmated_pair_is_not():
    assert fnmr([math.nan, 0.9], 0.5) == 0.5
    assert fmr([math.nan, 0.9], 0.5) == 0.5
    assert eer([math.nan, math.nan], [0.1, 0.2]) == 1.0
    assert math.isnan(eer([math.nan, math.nan], [0.1, math.nan]))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_threshold_separates_scores_of_every_dtype(dtype):
    values = np.array([0.1, 0.2, 0.3], dtype=dtype)
    threshold = threshold_at_fmr(values, 1 / 3)
    assert values[1] < dtype(threshold) <= values[2]


@pytest.mark.parametrize("bad", [[], [[0.1]], ["a"], [math.inf]])
def test_ill_shaped_scores_are_refused(bad):
    with pytest.raises(UsageError):
        fmr(bad, 0.5)
