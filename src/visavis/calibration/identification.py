"""Thresholds of a search: how similar a stranger's best candidate gets in a gallery of so many people."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import ModelError, UsageError

_Curve = tuple[NDArray[np.float64], NDArray[np.float64]]

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

    def __post_init__(self) -> None:
        fine = self.size >= 1 and 0 < self.fpir < 1 and math.isfinite(self.threshold) and self.error >= 0
        if not fine or not math.isfinite(self.error):
            raise UsageError(
                "a point of a search has a size from 1, a rate between 0 and 1, a finite threshold and an error from "
                f"0; got {self}"
            )


@dataclass(frozen=True, slots=True)
class IdentificationTable:
    """Thresholds over the size of the gallery and the false positive identification rate.

    They are one surface: between measured sizes the threshold is linear over the logarithm of the size, between rates
    over that of the rate, and each rate is carried on beyond its largest size with the slope that all rates have
    together. A larger gallery or a stricter rate never has a lower threshold.

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
        if all(len(self._measured(one.fpir)) < 2 for one in self.points):
            raise UsageError("an identification table needs a rate that was measured in two gallery sizes or more")

    @property
    def sizes(self) -> tuple[int, ...]:
        """The measured gallery sizes, rising."""
        return tuple(sorted({point.size for point in self.points}))

    def reach(self, rate: float) -> tuple[int, int]:
        """The smallest and the largest gallery in which a rate was measured.

        Raises:
            ModelError: It was measured in fewer than two sizes.
        """
        sizes = self._measured(rate)
        if len(sizes) < 2:
            told = [one.fpir for one in self.points if len(self._measured(one.fpir)) > 1]
            raise ModelError(
                f"the false positive identification rate was measured from {_inward(max(told), math.floor):g} down to "
                f"{_inward(min(told), math.ceil):g} on {self.people} people; fpir={rate:g} is outside. Ask for a rate "
                "between, or fit a calibration on more people: visavis calibrate",
                reason="calibration.range",
            )
        return sizes[0], sizes[-1]

    def threshold(self, rate: float, *, size: int) -> float:
        """The threshold for a gallery of that many people; it never falls with the size or with a stricter rate.

        Beyond the largest gallery in which the rate was measured, the threshold rises on with the logarithm of the
        size; `reach` tells where that begins.

        Args:
            rate: False positive identification rate.
            size: People in the gallery, from 1.

        Raises:
            ModelError: The rate was not measured.
            UsageError: A size below 1.
        """
        if size < 1:
            raise UsageError(f"a gallery that is searched holds one person at least; got {size}")
        self.reach(rate)
        curves = self._curves()
        slope = _slope(list(curves.values()))
        rates = sorted(curves, reverse=True)
        values = np.maximum.accumulate([_carried(*curves[one], slope, math.log(size)) for one in rates])
        return float(np.interp(-math.log(rate), -np.log(rates), values))

    def error(self, rate: float, *, size: int) -> float:
        """Standard error of the logarithm of the rate at `threshold`; beyond `reach` that of its end.

        Raises:
            ModelError: The rate was not measured.
        """
        low, high = self.reach(rate)
        sizes = [one for one in self.sizes if low <= one <= high]
        values = [self._error_at(one, rate) for one in sizes]
        return float(np.interp(math.log(max(size, 1)), np.log(sizes), values))

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> IdentificationTable:
        """Read the fields of a stored table."""
        return cls(record["people"], tuple(SearchPoint(**point) for point in record["points"]))

    def _column(self, size: int) -> list[SearchPoint]:
        return [point for point in self.points if point.size == size]

    def _measured(self, rate: float) -> list[int]:
        """The sizes in which a rate was measured."""
        return [size for size in self.sizes if _within(self._column(size), rate)]

    def _curves(self) -> dict[float, _Curve]:
        """By rate: logarithms of the sizes in which it was measured, rising, and the thresholds."""
        found: dict[float, _Curve] = {}
        for rate in {point.fpir for point in self.points}:
            mine = sorted((point.size, point.threshold) for point in self.points if point.fpir == rate)
            sizes, values = np.array(mine, np.float64).T
            found[rate] = np.log(sizes), np.maximum.accumulate(values)
        return found

    def _error_at(self, size: int, rate: float) -> float:
        column = self._column(size)[::-1]
        logs = [math.log(one.fpir) for one in column]
        return float(np.interp(math.log(rate), logs, [one.error for one in column]))


def _slope(curves: list[_Curve]) -> float:
    """The rise of the threshold with the logarithm of the size, over the last decade of each rate: all rates at once.

    Single rates have slopes that are too uncertain to be told apart: a few people make the thresholds of the largest
    galleries.
    """
    across, along = 0.0, 0.0
    for logs, values in curves:
        last = np.maximum(logs >= logs[-1] - math.log(10) - 1e-9, np.arange(len(logs)) >= len(logs) - 2)
        x, y = logs[last] - logs[last].mean(), values[last] - values[last].mean()
        across, along = across + float(x @ y), along + float(x @ x)
    return across / along if along else 0.0


def _carried(logs: NDArray[np.float64], values: NDArray[np.float64], slope: float, at: float) -> float:
    """A curve at a logarithm of a size, carried on beyond its end."""
    return float(np.interp(at, logs, values)) + slope * max(0.0, at - float(logs[-1]))


def _within(column: list[SearchPoint], rate: float) -> bool:
    return column[-1].fpir * (1 - 1e-9) <= rate <= column[0].fpir * (1 + 1e-9)


def _inward(rate: float, way: Callable[[float], int]) -> float:
    """A rate with two digits, rounded to the side on which it may be asked for."""
    unit = 10.0 ** (math.floor(math.log10(rate)) - 1)
    return way(rate / unit * (1 - 1e-9) if way is math.ceil else rate / unit * (1 + 1e-9)) * unit
