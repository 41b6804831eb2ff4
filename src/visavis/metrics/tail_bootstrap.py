"""Intervals of TAR at FAR over people, for tens of millions of pairs.

`visavis.metrics.person_bootstrap` visits every pair in every resample. Here the non-mated pairs are sorted once, only
the tail above the threshold is visited, and the total weight comes from a table of pairs a pair of people.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError
from visavis.metrics import _arrays
from visavis.metrics.intervals import Interval, percentile_interval

_SLACK = 1.5
"""The tail that is tried first, in multiples of what the largest target needs on average."""
_LEAST = 1 << 16
_TABLE = 6000
"""The most people for whom a table of all pairs of people is made: 288 MB."""
_CODES = 1 << 24
"""The highest codes of people for which a table of all codes is made."""
_AT_ONCE = 64
_CHUNK = 1 << 22


def tar_at_far_intervals(
    mated: ArrayLike,
    nonmated: ArrayLike,
    mated_people: ArrayLike,
    people_a: ArrayLike,
    people_b: ArrayLike,
    fars: Sequence[float],
    *,
    resamples: int = 1000,
    rng: np.random.Generator,
    level: float = 0.95,
) -> list[Interval]:
    """The intervals that `person_bootstrap` gives for `tar_at_far_statistic`, from the same draws, much faster.

    Args:
        mated: Similarities ``(M,)``; NaN for failed pairs.
        nonmated: Similarities ``(N,)``; NaN for failed pairs.
        mated_people: Code of the person of each mated pair ``(M,)``, an integer from 0; codes in no pair do no harm.
        people_a: Code of the first person of each non-mated pair ``(N,)``.
        people_b: Code of the second person ``(N,)``.
        fars: Targets in 0..1.
        resamples: Number of resamples of people.
        rng: Source of randomness.
        level: Confidence level.

    Returns:
        One interval a target.

    Raises:
        UsageError: Ill-shaped arrays, people that are not integers from 0, no target, or one outside 0..1.
    """
    left, right = _arrays.similarities(mated, "mated"), _arrays.similarities(nonmated, "nonmated")
    who = _people("mated_people", mated_people, len(left))
    first, second = _people("people_a", people_a, len(right)), _people("people_b", people_b, len(right))
    targets = [_arrays.rate(far, "fars") for far in fars]
    if not targets:
        raise UsageError("fars must hold at least one target, for example [1e-4]; got none")
    if resamples < 1:
        raise UsageError(f"resamples must be at least 1; got {resamples}")
    (who, first, second), number = _without_gaps(who, first, second)
    tail = _Tail(right, first, second)
    totals = _Totals(first, second, number)
    order = np.argsort(-np.nan_to_num(left, nan=-np.inf), kind="stable")
    mates, who = np.nan_to_num(left, nan=-np.inf)[order], who[order]
    values: list[list[float]] = [[] for _ in targets]
    for times in _draws(number, resamples, rng):
        for one, total in zip(times, totals.of(times), strict=True):
            taken = np.concatenate([[0.0], np.cumsum(one[who])])
            for place, limit in enumerate(tail.limits(one, targets, float(total))):
                above = int(np.searchsorted(-mates, -limit, side="left"))
                defined = taken[-1] > 0 and total > 0
                values[place].append(float(taken[above] / taken[-1]) if defined else math.nan)
    return [percentile_interval(found, _arrays.level(level)) for found in values]


def _draws(number: int, resamples: int, rng: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """How often each person is drawn, float64 ``(B, P)``, some resamples at a time."""
    for start in range(0, resamples, _AT_ONCE):
        count = min(_AT_ONCE, resamples - start)
        rows = [np.bincount(rng.integers(number, size=number), minlength=number) for _ in range(count)]
        yield np.array(rows, dtype=np.float64)


class _Tail:
    """Non-mated pairs, the most similar first, as far as they are needed."""

    def __init__(self, scores: NDArray[np.floating], first: NDArray[np.integer], second: NDArray[np.integer]) -> None:
        self._scores = np.nan_to_num(scores, nan=-np.inf)
        self._first, self._second = first, second
        self._size = 0

    def limits(self, times: NDArray[np.float64], targets: Sequence[float], total: float) -> list[float]:
        """The highest similarity that each target rejects, under weights of people: a mate must lie above it."""
        size = max(_LEAST, int(_SLACK * max(targets) * len(self._scores)))
        found = self._limits(times, targets, total, size)
        return found or self._limits(times, targets, total, len(self._scores)) or []

    def _limits(
        self, times: NDArray[np.float64], targets: Sequence[float], total: float, size: int
    ) -> list[float] | None:
        """None where the ``size`` highest pairs do not hold weight enough."""
        self._grow(size)
        mass = np.cumsum(times[self.first] * times[self.second])
        # Weights are whole numbers and their sums exact; the factor makes 3 of 3,000 meet 1e-3.
        places = np.searchsorted(mass, np.array(targets) * total * (1 + 1e-12), side="right")
        if places.max() >= len(mass) and len(mass) < len(self._scores):
            return None
        return [float(self.values[place]) if place < len(mass) else -math.inf for place in places.tolist()]

    def _grow(self, size: int) -> None:
        """Sort the ``size`` highest pairs."""
        count = len(self._scores)
        size = min(size, count)
        if size <= self._size:
            return
        rows = np.argpartition(self._scores, count - size)[count - size :] if size < count else np.arange(count)
        rows = rows[np.argsort(-self._scores[rows], kind="stable")]
        self._size = size
        self.values = self._scores[rows]
        self.first, self.second = self._first[rows].astype(np.intp), self._second[rows].astype(np.intp)


class _Totals:
    """The weight of all non-mated pairs in a resample."""

    def __init__(self, first: NDArray[np.integer], second: NDArray[np.integer], number: int) -> None:
        self._first, self._second = first, second
        self._table: NDArray[np.float64] | None = None
        if number <= _TABLE:
            table = np.zeros(number * number)
            for start in range(0, len(first), _CHUNK):
                rows = slice(start, start + _CHUNK)
                np.add.at(table, first[rows].astype(np.intp) * number + second[rows], 1.0)
            self._table = table.reshape(number, number)

    def of(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64 ``(B,)`` of draws ``(B, P)``."""
        if self._table is not None:
            found: NDArray[np.float64] = np.einsum("bp,bp->b", times @ self._table, times)
            return found
        return np.array([(one[self._first] * one[self._second]).sum() for one in times])


def _people(name: str, value: ArrayLike, length: int) -> NDArray[np.integer]:
    codes = np.asarray(value)
    if codes.shape != (length,) or codes.dtype.kind not in "iu" or codes.min() < 0:
        raise UsageError(f"{name} must be {length} integers from 0, one a pair; got {codes.dtype} {codes.shape}")
    return codes


def _without_gaps(*columns: NDArray[np.integer]) -> tuple[list[NDArray[np.integer]], int]:
    """The columns with codes 0..P-1, each of them in some pair, in the order of the given ones; and P."""
    highest = max(int(column.max()) for column in columns)
    if highest >= _CODES:
        present = np.unique(np.concatenate([np.unique(column) for column in columns]))
        return [np.searchsorted(present, column) for column in columns], len(present)
    used = np.zeros(highest + 1, np.bool_)
    for column in columns:
        used[column] = True
    if used.all():
        return list(columns), len(used)
    code = np.cumsum(used) - 1
    return [code[column].astype(column.dtype) for column in columns], int(used.sum())
