"""The interval over a square of comparisons is that of the bootstrap that visits every pair."""

import numpy as np
import pytest

from visavis.errors import UsageError
from visavis.metrics.intervals import person_bootstrap
from visavis.metrics.square_bootstrap import nonmated_share_interval


@pytest.mark.parametrize("people", [2, 3, 17])
def test_it_is_the_interval_of_the_person_bootstrap_over_all_pairs(people):
    rng = np.random.default_rng(people)
    hits = rng.random((people, people)) < 0.3
    first, second = np.nonzero(~np.eye(people, dtype=bool))
    flat = hits[first, second].astype(float)

    def share(weights):
        return float((weights * flat).sum() / weights.sum()) if weights.sum() else float("nan")

    slow = person_bootstrap(first, second, share, resamples=150, rng=np.random.default_rng(5))
    fast = nonmated_share_interval(hits, resamples=150, rng=np.random.default_rng(5))
    assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high), nan_ok=True)
    assert (fast.skipped, fast.resamples, fast.unit) == (slow.skipped, 150, "person")


def test_the_diagonal_is_not_looked_at():
    hits = np.zeros((9, 9), bool)
    for filled in (False, True):
        np.fill_diagonal(hits, filled)
        interval = nonmated_share_interval(hits, resamples=20, rng=np.random.default_rng(0))
        assert (interval.low, interval.high) == (0, 0)
    full = nonmated_share_interval(np.ones((9, 9), bool), resamples=20, rng=np.random.default_rng(0))
    assert (full.low, full.high) == (1, 1)


@pytest.mark.parametrize("hits", [np.ones((2, 3), bool), np.ones((1, 1), bool), np.ones(4, bool)])
def test_what_is_no_square_of_people_is_refused(hits):
    with pytest.raises(UsageError, match="square of two people"):
        nonmated_share_interval(hits, rng=np.random.default_rng(0))
    with pytest.raises(UsageError, match="at least 1"):
        nonmated_share_interval(np.ones((3, 3), bool), resamples=0, rng=np.random.default_rng(0))
