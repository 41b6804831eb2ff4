import numpy as np
import pytest

from visavis.errors import UsageError
from visavis.metrics import person_bootstrap, tar_at_far_statistic
from visavis.metrics import tail_bootstrap as module
from visavis.metrics.tail_bootstrap import tar_at_far_intervals

FARS = (0.0, 0.003, 0.05, 0.3, 1.0)


def pairs(seed, *, ties):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 25, (2, 600))
    first[:25], second[:25] = range(25), range(25)
    same = first == second
    scores = rng.normal(np.where(same, 0.5, 0.0), 0.4).astype(np.float32)
    if ties:
        scores = np.round(scores, 1)
    scores[rng.random(600) < 0.05] = np.nan
    return first, second, same, scores


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("table", [6000, 0])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_the_bootstrap_of_all_pairs(monkeypatch, seed, ties, table):
    """The same draws give the same intervals as the statistic that sorts and weighs every pair."""
    monkeypatch.setattr(module, "_TABLE", table)
    monkeypatch.setattr(module, "_LEAST", 8)
    monkeypatch.setattr(module, "_AT_ONCE", 7)
    first, second, same, scores = pairs(seed, ties=ties)
    found = tar_at_far_intervals(
        scores[same], scores[~same], first[same], first[~same], second[~same], FARS, resamples=40,
        rng=np.random.default_rng(5),
    )  # fmt: skip
    for far, interval in zip(FARS, found, strict=True):
        statistic = tar_at_far_statistic(scores, same, far)
        slow = person_bootstrap(first, second, statistic, resamples=40, rng=np.random.default_rng(5))
        assert (interval.low, interval.high) == pytest.approx((slow.low, slow.high), abs=1e-12)
        assert interval.resamples == 40 and interval.unit == "person"


def test_wrong_calls_are_refused():
    first, second, same, scores = pairs(0, ties=False)
    right = (scores[same], scores[~same], first[same], first[~same], second[~same])
    for wrong in (
        (*right[:2], first[same][:-1], *right[3:]),
        (*right[:3], first[~same] - 30, second[~same]),
    ):
        with pytest.raises(UsageError):
            tar_at_far_intervals(*wrong, FARS, resamples=2, rng=np.random.default_rng(0))
    with pytest.raises(UsageError, match="at least one target"):
        tar_at_far_intervals(*right, [], resamples=2, rng=np.random.default_rng(0))
    with pytest.raises(UsageError):
        tar_at_far_intervals(*right, FARS, resamples=0, rng=np.random.default_rng(0))


@pytest.mark.parametrize("codes", [1 << 24, 2])
def test_codes_may_leave_gaps(monkeypatch, codes):
    monkeypatch.setattr(module, "_CODES", codes)
    first, second, same, scores = pairs(0, ties=False)
    found = []
    for times in (1, 7):
        columns = (first[same] * times, first[~same] * times, second[~same] * times)
        found.append(tar_at_far_intervals(
            scores[same], scores[~same], *columns, FARS, resamples=20, rng=np.random.default_rng(0)
        ))  # fmt: skip
    assert found[0] == found[1]
