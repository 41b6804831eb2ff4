"""Thresholds of a search: how similar a stranger's best candidate gets in a gallery of so many people."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from visavis.errors import ModelError, UsageError

LEAST_EVENTS = 10
"""A point is given only where at least this many persons, as strangers, meet a false candidate."""


@dataclass(frozen=True, slots=True)
class SearchPoint:
    """One measured operating point of a search.

    Attributes:
        size: People of the gallery.
        fpir: The false positive identification rate that the threshold keeps to.
        threshold: Least similarity at which a candidate is returned.
        events: Persons who, as strangers, meet another person at or above the threshold among all the others.
        pairs: Pairs of persons at or above it.
        error: Standard error of the logarithm of the rate, with persons as what is independent.
    """

    size: int
    fpir: float
    threshold: float
    events: int
    pairs: int
    error: float


@dataclass(frozen=True, slots=True)
class IdentificationTable:
    """Thresholds over the size of the gallery and the false positive identification rate.

    Between measured sizes the threshold is linear over the logarithm of the size, between rates over that of the rate.

    Attributes:
        people: Persons it was fitted on: each is a stranger once, the others fill the gallery.
        points: By rising size, then falling rate.
    """

    people: int
    points: tuple[SearchPoint, ...]

    def __post_init__(self) -> None:
        for size in self.sizes:
            column = self._column(size)
            rates, thresholds = [one.fpir for one in column], [one.threshold for one in column]
            if sorted(rates, reverse=True) != rates or sorted(thresholds) != thresholds:
                raise UsageError("the points of a gallery size have a falling rate and a rising threshold")
        if len(self.points) < 2:
            raise UsageError("an identification table needs two or more points")

    @property
    def sizes(self) -> tuple[int, ...]:
        """The measured gallery sizes, rising."""
        return tuple(sorted({point.size for point in self.points}))

    def reach(self, rate: float) -> tuple[int, int]:
        """The smallest and the largest gallery in which a rate was measured.

        Raises:
            ModelError: It was measured in fewer than two sizes.
        """
        sizes = [size for size in self.sizes if _within(self._column(size), rate)]
        if len(sizes) < 2:
            lowest, highest = min(one.fpir for one in self.points), max(one.fpir for one in self.points)
            raise ModelError(
                f"the false positive identification rate was measured from {highest:.2g} down to {lowest:.2g} on "
                f"{self.people} people; fpir={rate:g} is outside. Ask for a rate between, or fit a calibration on more "
                "people: visavis calibrate",
                reason="calibration.range",
            )
        return sizes[0], sizes[-1]

    def threshold(self, rate: float, *, size: int) -> float:
        """The threshold for a gallery of that many people.

        Beyond the largest gallery in which the rate was measured, the threshold rises on with the logarithm of the
        size, as it did over the last decade of sizes; `reach` tells where that begins.

        Args:
            rate: False positive identification rate.
            size: People in the gallery, from 1.

        Raises:
            ModelError: The rate was not measured.
            UsageError: A size below 1.
        """
        if size < 1:
            raise UsageError(f"a gallery that is searched holds one person at least; got {size}")
        low, high = self.reach(rate)
        sizes = [one for one in self.sizes if low <= one <= high]
        values = [self._at(one, rate, "threshold") for one in sizes]
        logs = np.log(sizes)
        if size <= high:
            return float(np.interp(math.log(size), logs, values))
        last = np.maximum(logs >= logs[-1] - math.log(10) - 1e-9, np.arange(len(logs)) >= len(logs) - 2)
        slope = np.polyfit(logs[last], np.array(values)[last], 1)[0]
        return float(values[-1] + slope * (math.log(size) - logs[-1]))

    def error(self, rate: float, *, size: int) -> float:
        """Standard error of the logarithm of the rate at `threshold`; beyond `reach` that of its end.

        Raises:
            ModelError: The rate was not measured.
        """
        low, high = self.reach(rate)
        sizes = [one for one in self.sizes if low <= one <= high]
        values = [self._at(one, rate, "error") for one in sizes]
        return float(np.interp(math.log(max(size, 1)), np.log(sizes), values))

    def events(self, rate: float, *, size: int) -> int:
        """Events behind the threshold: those of the nearest measured size, at the nearest rate not above.

        Raises:
            ModelError: The rate was not measured.
        """
        low, high = self.reach(rate)
        nearest = min((one for one in self.sizes if low <= one <= high), key=lambda one: abs(math.log(one / size)))
        return next(one.events for one in self._column(nearest) if one.fpir <= rate * (1 + 1e-9))

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> IdentificationTable:
        """Read the fields of a stored table."""
        return cls(record["people"], tuple(SearchPoint(**point) for point in record["points"]))

    def _column(self, size: int) -> list[SearchPoint]:
        return [point for point in self.points if point.size == size]

    def _at(self, size: int, rate: float, name: str) -> float:
        column = self._column(size)[::-1]
        logs = [math.log(one.fpir) for one in column]
        return float(np.interp(math.log(rate), logs, [getattr(one, name) for one in column]))


def _within(column: list[SearchPoint], rate: float) -> bool:
    return column[-1].fpir * (1 - 1e-9) <= rate <= column[0].fpir * (1 + 1e-9)
