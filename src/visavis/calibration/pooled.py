"""Thresholds for several pictures a side."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError

LEVELS = (1, 2, 3, 5, 8)
"""Numbers of pictures a side that are calibrated; a number between takes the next higher one."""
_LEAST_PEOPLE = 30


@dataclass(frozen=True, slots=True)
class Pooled:
    """How the threshold of single pictures becomes that of pooled ones.

    Pooling averages the noise of single pictures away, and what two persons share stands out more: their similarity
    rises. The quantiles of pooled and of single impostor similarities of the same people lie on a line.

    Attributes:
        left: Pictures of one side, a level of `LEVELS`.
        right: Pictures of the other side, not fewer.
        scale: Slope of that line.
        shift: Its value at 0.
        people: Persons it was fitted on.
        pairs: Impostor pairs of persons it was fitted on.
    """

    left: int
    right: int
    scale: float
    shift: float
    people: int
    pairs: int

    def __post_init__(self) -> None:
        if not (1 <= self.left <= self.right and 0 < self.scale < math.inf and math.isfinite(self.shift)):
            raise UsageError(
                "a line for several pictures has a left from 1, a right from the left, a scale above 0 and a finite "
                f"shift; got {self}"
            )

    def threshold(self, single: float) -> float:
        """The threshold of pooled templates where single ones have ``single``."""
        return self.scale * single + self.shift

    def single(self, similarity: float) -> float:
        """The similarity of single pictures that is as rare among impostors as a pooled one."""
        return (similarity - self.shift) / self.scale


def level(count: int) -> int:
    """The calibrated number of pictures that stands for a number."""
    return next((one for one in LEVELS if one >= count), LEVELS[-1])


def find(table: Sequence[Pooled], left: int, right: int) -> Pooled | None:
    """The line for two numbers of pictures; None for single ones or where the table has none.

    Where nothing was fitted for so many pictures, the line of the most pictures that are not more stands in: thresholds
    rise with the pictures, so that one is nearest, and passes more strangers than was asked for (`fitted` tells).
    """
    low, high = sorted((level(left), level(right)))
    able = [one for one in table if one.left <= low and one.right <= high]
    return max(able, key=lambda one: (one.right, one.left), default=None) if high > 1 else None


def fitted(table: Sequence[Pooled], left: int, right: int) -> bool:
    """Whether thresholds were fitted for these numbers of pictures, so that none stands in."""
    low, high = sorted((level(left), level(right)))
    return high == 1 or any((one.left, one.right) == (low, high) for one in table)


def fit_pooled(
    vectors: NDArray[np.float32],
    people: Sequence[Hashable],
    weights: ArrayLike,
    *,
    rng: np.random.Generator,
    draws: int = 20,
) -> tuple[Pooled, ...]:
    """The lines of all pairs of `LEVELS`, from people of many pictures.

    Each draw takes other pictures of everybody; all pairs of two persons are compared.

    Args:
        vectors: float32 ``(N, D)``, unit norm, finite.
        people: Person of each row.
        weights: Quality of each row, as pooling uses it ``(N,)``.
        rng: Source of the draws.
        draws: How often.

    Returns:
        One line for each pair of levels that at least 30 persons have pictures enough for.
    """
    names, owner = np.unique(np.asarray(people, dtype=str), return_inverse=True)
    rows = [np.flatnonzero(owner == number) for number in range(len(names))]
    share = np.asarray(weights, np.float64)
    lines = []
    for left, right in combinations_with_replacement(LEVELS, 2):
        rich = [of_one for of_one in rows if len(of_one) >= right]
        if right == 1 or len(rich) < _LEAST_PEOPLE:
            continue
        single: list[NDArray[np.float64]] = []
        pooled: list[NDArray[np.float64]] = []
        other = ~np.eye(len(rich), dtype=bool)
        for _ in range(draws):
            for scores, (a, b) in ((single, (1, 1)), (pooled, (left, right))):
                one, two = (_drawn(vectors, share, rich, count, rng) for count in (a, b))
                scores.append((one @ two.T)[other])
        scale, shift = fit_line(np.concatenate(single), np.concatenate(pooled))
        lines.append(Pooled(left, right, scale, shift, len(rich), len(rich) * (len(rich) - 1) // 2))
    return tuple(lines)


def _drawn(
    vectors: NDArray[np.float32],
    weights: NDArray[np.float64],
    rows: Sequence[NDArray[np.intp]],
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """A pooled template of each person, of that many of its pictures."""
    means = []
    for of_one in rows:
        some = rng.choice(of_one, count, replace=False)
        means.append(np.average(vectors[some].astype(np.float64), axis=0, weights=np.maximum(weights[some], 1)))
    found = np.array(means)
    unit: NDArray[np.float64] = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


def fit_line(single: ArrayLike, pooled: ArrayLike) -> tuple[float, float]:
    """Slope and value at 0 of the line through the upper quantiles of two samples of impostor similarities.

    Args:
        single: Similarities of single pictures of two persons ``(N,)``.
        pooled: Similarities of pooled templates of the same people ``(M,)``.

    Raises:
        UsageError: Fewer than 1,000 of either.
    """
    one, two = np.asarray(single, np.float64), np.asarray(pooled, np.float64)
    if min(one.size, two.size) < 1000:
        raise UsageError(f"the line needs 1,000 pairs of either kind; got {one.size} and {two.size}")
    # From the median to one in a hundred: the part that so few people carry.
    levels = 1 - np.geomspace(0.5, 0.01, 40)
    x, y = np.quantile(one, levels), np.quantile(two, levels)
    slope, value = np.polyfit(x, y, 1)
    return float(slope), float(value)
