from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.errors import UsageError
from visavis.metrics import fold_accuracy, identity_folds

pairs = st.lists(
    st.tuples(st.one_of(st.integers(-3, 3).map(float), st.just(math.nan)), st.booleans(), st.integers(-1, 2)),
    min_size=4,
    max_size=24,
)


def slow_best_threshold(scores, same):
    """Try every interval between distinct scores, count right answers, take the middle of the tied ones."""
    values = sorted({value for value in scores if not math.isnan(value)}, reverse=True)
    middles = [(high + low) / 2 for high, low in pairwise(values)]
    candidates = [math.inf, *middles, -math.inf] if values else [math.inf]
    right = [sum((s >= t) == m for s, m in zip(scores, same, strict=True)) for t in candidates]
    best = [t for t, r in zip(candidates, right, strict=True) if r == max(right)]
    return best[len(best) // 2]


def slow_fold_accuracy(rows):
    accuracy, thresholds = [], []
    for fold in sorted({fold for _, _, fold in rows if fold >= 0}):
        others = [row for row in rows if row[2] not in (fold, -1)]
        thresholds.append(slow_best_threshold([row[0] for row in others], [row[1] for row in others]))
        accuracy.append(np.mean([(s >= thresholds[-1]) == m for s, m, f in rows if f == fold]))
    return accuracy, thresholds


@settings(max_examples=300, deadline=None)
@given(pairs, st.randoms())
def test_equals_brute_force_in_any_order(rows, random):
    if len({fold for _, _, fold in rows if fold >= 0}) < 2:
        with pytest.raises(UsageError):
            fold_accuracy(*zip(*rows, strict=True))
        return
    accuracy, thresholds = slow_fold_accuracy(rows)
    for order in (rows, random.sample(rows, len(rows))):
        result = fold_accuracy(*zip(*order, strict=True))
        assert result.per_fold.tolist() == pytest.approx(accuracy)
        assert result.thresholds.tolist() == thresholds
    assert result.mean == pytest.approx(np.mean(accuracy))
    assert result.std == pytest.approx(np.std(accuracy, ddof=1))
    assert result.standard_error == pytest.approx(result.std / math.sqrt(len(accuracy)))


def test_failures_are_rejections_and_reported_apart():
    scores = [0.9, 0.1, math.nan, 0.8, 0.2, math.nan]
    result = fold_accuracy(scores, [True, False, True, True, False, False], [0, 0, 0, 1, 1, 1])
    assert result.per_fold.tolist() == pytest.approx([2 / 3, 1.0])
    assert (result.failed, result.pairs, result.accuracy_without_failures) == (2, 6, 1.0)


def test_pairs_without_a_fold_change_nothing():
    rng = np.random.default_rng(0)
    same, folds = rng.random(200) < 0.5, rng.integers(0, 5, 200)
    scores = rng.normal(same, 1)
    more = fold_accuracy(np.append(scores, [9, -9]), np.append(same, [False, True]), np.append(folds, [-1, -1]))
    assert more.per_fold.tolist() == fold_accuracy(scores, same, folds).per_fold.tolist()


def people_by_fold(left, right, folds):
    return {int(f): set(left[folds == f]) | set(right[folds == f]) for f in np.unique(folds[folds >= 0])}


def disjoint(groups):
    everyone = [person for group in groups.values() for person in group]
    return len(everyone) == len(set(everyone))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=40), st.integers(2, 5))
def test_no_person_is_in_two_folds_and_no_mated_pair_is_lost(links, k):
    left, right = np.array(links).T
    folds = identity_folds(left, right, k=k, seed=3)
    assert disjoint(people_by_fold(left, right, folds))
    assert (folds[left == right] >= 0).all() and folds.max() < k
    np.testing.assert_array_equal(folds, identity_folds(left, right, k=k, seed=3))


def test_small_components_are_dealt_whole_and_evenly():
    left = np.repeat(np.arange(100), 3) * 2
    right = left + np.tile([0, 1, 1], 100)
    folds = identity_folds(left.astype(str), right.astype(str), k=10, seed=1)
    assert np.bincount(folds).tolist() == [30] * 10


def test_one_giant_component_falls_back_to_people():
    left, right = np.triu_indices(40)
    folds = identity_folds(left, right, k=4)
    assert disjoint(people_by_fold(left, right, folds))
    assert (folds == -1).sum() == 600 and np.bincount(folds[folds >= 0]).tolist() == [55] * 4


@pytest.mark.parametrize("folds", [[0, 0], [0.0, 1.0], [0, -2], [0]])
def test_ill_shaped_folds_are_refused(folds):
    with pytest.raises(UsageError):
        fold_accuracy([0.1, 0.2], [True, False], folds)
