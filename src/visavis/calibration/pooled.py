"""Thresholds for several pictures a side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from visavis.calibration.likelihood_ratio import Knots
from visavis.errors import UsageError

LEVELS = (1, 2, 3, 5, 8)
"""Numbers of pictures a side that are calibrated; a number between takes the next higher one."""


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
        fnmr: False non-match rate at each of the ``rates`` of the fitted genuine pairs, by rate.
        llr: The likelihood ratio's curve for these numbers.
    """

    left: int
    right: int
    scale: float
    shift: float
    people: int
    pairs: int
    fnmr: dict[str, float]
    llr: Knots = ()

    def threshold(self, single: float) -> float:
        """The threshold of pooled templates where single ones have ``single``."""
        return self.scale * single + self.shift


def level(count: int) -> int:
    """The calibrated number of pictures that stands for a number."""
    return next((one for one in LEVELS if one >= count), LEVELS[-1])


def find(table: Sequence[Pooled], left: int, right: int) -> Pooled | None:
    """The line for two numbers of pictures; None for single ones or where the table has none."""
    low, high = sorted((level(left), level(right)))
    return next((one for one in table if (one.left, one.right) == (low, high)), None)


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
