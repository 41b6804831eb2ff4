"""Folds: every class is in the complement of each fold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.data.folds import spread_folds
from visavis.errors import UsageError


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(2, 7), min_size=1, max_size=9), st.integers(2, 4), st.integers(0, 99))
def test_classes_are_spread_evenly(sizes, folds, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    found = spread_folds(labels, folds=folds, seed=seed)
    for label, size in enumerate(sizes):
        counts = np.bincount(found[labels == label], minlength=folds)
        assert counts.max() - counts.min() <= 1 and counts.sum() == size
        assert all(size - count >= 1 for count in counts)
    whole = np.bincount(found, minlength=folds)
    assert whole.max() - whole.min() <= 1
    assert np.array_equal(found, spread_folds(labels, folds=folds, seed=seed))


def test_rows_of_a_class_are_drawn():
    labels = np.zeros(40, np.int64)
    first, second = (spread_folds(labels, folds=2, seed=seed) for seed in (0, 1))
    assert not np.array_equal(first, second) and not np.array_equal(first, np.arange(40) % 2)


def test_rows_that_were_dropped_are_spread_too_and_one_fold_holds_all():
    labels = np.array([-1, 0, 0, -1, 1, 1, -1, -1])
    assert np.bincount(spread_folds(labels, folds=2, seed=0)[labels < 0]).tolist() == [2, 2]
    assert not spread_folds(labels, folds=1, seed=0).any()
    with pytest.raises(UsageError, match="1 fold or more"):
        spread_folds(labels, folds=0, seed=0)
