"""Intervals of a protocol's figures: the same resamples of the same people for each of them."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from visavis.errors import UsageError
from visavis.metrics.intervals import Interval, Statistic, person_bootstrap
from visavis.protocols.protocol_result import LEVEL


@dataclass(frozen=True, slots=True, eq=False)
class PersonIntervals:
    """Intervals over people, 95 %; every call draws the same resamples.

    Attributes:
        people_a: Person of one side of each pair or search ``(N,)``.
        people_b: Person of the other side; the same for searches and mated pairs.
        seed: Seed of resamples.
        resamples: Number of resamples; 0 for no intervals.
    """

    people_a: ArrayLike
    people_b: ArrayLike
    seed: int
    resamples: int

    def of(self, statistic: Statistic) -> Interval | None:
        """The interval of a function of weights ``(N,)``; None without resamples."""
        if not self.resamples:
            return None
        rng = np.random.default_rng(self.seed)
        return person_bootstrap(self.people_a, self.people_b, statistic, resamples=self.resamples, rng=rng, level=LEVEL)


def check_draws(seed: Any, resamples: Any, *, least: int = 1) -> None:
    """Refuse a seed or a number of resamples that nothing could be drawn with, before any picture is read.

    Args:
        seed: A whole number from 0.
        resamples: A whole number from ``least``.
        least: 0 where intervals can be left out.

    Raises:
        UsageError: Anything else.
    """
    for name, value, low in (("seed", seed, 0), ("resamples", resamples, least)):
        try:
            fine = operator.index(value) >= low
        except TypeError:
            fine = False
        if not fine:
            raise UsageError(f"{name} is a whole number from {low}; got {value!r}")
