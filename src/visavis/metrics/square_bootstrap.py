"""Intervals of a rate over all pairs of different people, from a square of comparisons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.metrics.intervals import Interval, percentile_interval

_AT_ONCE = 64


def nonmated_share_interval(
    hits: NDArray[np.bool_], *, resamples: int = 1000, rng: np.random.Generator, level: float = 0.95
) -> Interval:
    """The interval that `person_bootstrap` gives for the share of hits, from the same draws, by matrix products.

    With one picture of each person a side, the non-mated pairs are all cells of a square but its diagonal. A person
    drawn w times counts his row and his column w times, so the share is ``w H w / (|w|^2 - w w)`` without the diagonal.

    Args:
        hits: bool ``(N, N)``: row i and column i are of person i; the diagonal is not looked at.
        resamples: Number of resamples of people.
        rng: Source of randomness.
        level: Confidence level.

    Raises:
        UsageError: No square of two people or more, or no resamples.

    Example:
        >>> hits = np.array([[False, True, False], [False, False, False], [False, True, True]])
        >>> interval = nonmated_share_interval(hits, rng=np.random.default_rng(0))
        >>> 0 <= interval.low < 2 / 6 < interval.high <= 1
        True
    """
    number = len(hits)
    if hits.ndim != 2 or hits.shape != (number, number) or number < 2:
        raise UsageError(f"hits must be a square of two people or more; got {hits.shape}")
    if resamples < 1:
        raise UsageError(f"resamples must be at least 1; got {resamples}")
    table = hits.astype(np.float32)
    np.fill_diagonal(table, 0)
    values: list[float] = []
    for start in range(0, resamples, _AT_ONCE):
        draws = [rng.integers(number, size=number) for _ in range(min(_AT_ONCE, resamples - start))]
        times = np.stack([np.bincount(draw, minlength=number) for draw in draws]).astype(np.float64)
        found = np.einsum("rn,rn->r", (times.astype(np.float32) @ table).astype(np.float64), times)
        total = times.sum(axis=1) ** 2 - (times**2).sum(axis=1)
        values += np.divide(found, total, out=np.full_like(found, np.nan), where=total > 0).tolist()
    return percentile_interval(values, level)
