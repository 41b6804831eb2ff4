from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from visavis import metrics
from visavis.errors import UsageError
from visavis.metrics import clopper_pearson, fta, gated, paired_difference, person_bootstrap


@pytest.mark.parametrize("level", [0.9, 0.95, 0.999])
@pytest.mark.parametrize(
    ("events", "trials"), [(0, 1), (1, 1), (0, 30), (30, 30), (3, 1000), (500, 1000), (9_999, 10_000), (7, 200_000_000)]
)
def test_clopper_pearson_equals_scipy(events, trials, level):
    interval = clopper_pearson(events, trials, level)
    tail = (1 - level) / 2
    low = beta.ppf(tail, events, trials - events + 1) if events else 0.0
    high = beta.ppf(1 - tail, events + 1, trials - events) if events < trials else 1.0
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-7)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 200), st.data())
def test_clopper_pearson_is_symmetric_and_holds_the_rate(trials, data):
    events = data.draw(st.integers(0, trials))
    one, other = clopper_pearson(events, trials), clopper_pearson(trials - events, trials)
    assert one.low <= events / trials <= one.high
    assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low), abs=1e-9)


def test_gated_looks_at_the_rarer_side():
    assert gated(10, 20) and not gated(9, 1000) and not gated(991, 1000)
    assert gated(3, 6, least=3)
    for bad in [(2, 1), (-1, 4), (0, 0), (0.5, 4)]:
        with pytest.raises(UsageError):
            gated(*bad)


def test_fta_is_a_rate_with_its_interval():
    result = fta(3, 100)
    assert (result.rate, result.interval) == (0.03, clopper_pearson(3, 100))


def test_weights_follow_people():
    left, right = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0])
    seen = []
    person_bootstrap(left, right, lambda w: seen.append(w) or 0.0, resamples=200, rng=np.random.default_rng(0))
    for weights in seen:
        zero, one = weights[0], weights[2]
        two = 3 - zero - one
        assert weights.tolist() == [zero, zero * one, one, two * zero]
    assert np.mean(seen, axis=0)[0] == pytest.approx(1, abs=0.2)


def test_undefined_resamples_are_skipped_and_counted():
    values = iter([math.nan, 1.0, 2.0, math.nan])
    interval = person_bootstrap([0, 1], [0, 1], lambda _: next(values), resamples=4, rng=np.random.default_rng(0))
    assert (interval.resamples, interval.skipped) == (4, 2) and 1 <= interval.low <= interval.high <= 2
    empty = person_bootstrap([0, 1], [0, 1], lambda _: math.nan, resamples=3, rng=np.random.default_rng(0))
    assert math.isnan(empty.low) and empty.skipped == 3


def simulated_pairs(seed, people=60, each=12, effect=1.0):
    """Mated scores of people who differ by a person effect; the error at 0 is known in closed form."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), each)
    return person, rng.normal(0, effect, people)[person] + rng.normal(1, 1, people * each)


def test_person_bootstrap_covers_where_pair_bootstrap_does_not():
    truth = 0.5 * math.erfc(1 / math.sqrt(2) / math.sqrt(2))  # P(effect + noise < 0), N(1, 2)
    covered = {"person": 0, "pair": 0}
    for seed in range(120):
        person, scores = simulated_pairs(seed)
        events = (scores < 0).astype(float)
        rate = lambda weights, events=events: float(weights @ events / weights.sum())  # noqa: E731
        for name, unit in (("person", person), ("pair", np.arange(len(person)))):
            interval = person_bootstrap(unit, unit, rate, resamples=200, rng=np.random.default_rng(seed))
            covered[name] += interval.low <= truth <= interval.high
    assert covered["person"] / 120 > 0.88
    assert covered["pair"] / 120 < 0.8


def pair_set(seed=5, people=300, number=3000):
    rng = np.random.default_rng(seed)
    left = rng.integers(0, people, number)
    same = rng.random(number) < 0.5
    right = np.where(same, left, (left + rng.integers(1, people, number)) % people)
    return left, right, same, rng.normal(same * 2.0, 1).round(2), rng.integers(0, 10, number)


def test_paired_difference_is_narrower_than_the_two_intervals():
    left, right, same, scores, _ = pair_set()
    better = scores + 0.3 * same
    first, second = metrics.auc_statistic(better, same), metrics.auc_statistic(scores, same)
    both = paired_difference(left, right, first, second, resamples=200, rng=np.random.default_rng(1))
    alone = person_bootstrap(left, right, first, resamples=200, rng=np.random.default_rng(1))
    zero = paired_difference(left, right, first, first, resamples=20, rng=np.random.default_rng(1))
    assert both.low > 0 and both.high - both.low < alone.high - alone.low
    assert (zero.low, zero.high) == (0.0, 0.0)


def test_fast_statistics_equal_the_plain_metrics_under_weights():
    left, right, same, scores, folds = pair_set()
    scores[:20] = np.nan
    times = np.bincount(np.random.default_rng(2).integers(0, 300, 300), minlength=300)
    weights = np.where(left == right, times[left], times[left] * times[right])
    mated, nonmated = np.repeat(scores[same], weights[same]), np.repeat(scores[~same], weights[~same])
    assert metrics.tar_at_far_statistic(scores, same, 0.01)(weights) == metrics.tar_at_far(mated, nonmated, far=0.01)
    assert metrics.eer_statistic(scores, same)(weights) == metrics.eer(mated, nonmated)
    assert metrics.auc_statistic(scores, same)(weights) == pytest.approx(metrics.auc(mated, nonmated))
    assert metrics.fmr_statistic(scores, same, 1.0)(weights) == metrics.fmr(nonmated, 1.0)
    assert metrics.fnmr_statistic(scores, same, 1.0)(weights) == metrics.fnmr(mated, 1.0)
    plain = metrics.fold_accuracy(scores, same, folds)
    accuracy = metrics.accuracy_statistic(scores, same, folds, plain.thresholds)
    assert accuracy(np.ones(len(scores))) == pytest.approx(plain.mean)
    right_answers = (scores >= plain.thresholds[folds]) == same
    slow = [np.average(right_answers[folds == f], weights=weights[folds == f]) for f in range(10)]
    assert accuracy(weights) == pytest.approx(np.mean(slow))


def test_people_must_be_of_one_kind():
    with pytest.raises(UsageError):
        person_bootstrap([0, 1], ["0", "1"], lambda _: 0.0, rng=np.random.default_rng(0))
    with pytest.raises(UsageError):
        person_bootstrap([0, 1], [0], lambda _: 0.0, rng=np.random.default_rng(0))
