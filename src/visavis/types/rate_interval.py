"""Rates with their prediction intervals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from visavis.errors import UsageError


@dataclass(frozen=True, slots=True)
class RateInterval:
    """An error rate and where it will lie on other people of the same population.

    Attributes:
        rate: The rate that was measured at the threshold, 0..1.
        low: Lower end.
        high: Upper end.
        level: Confidence level, for example 0.95.
        people: Size of the new sample that the interval predicts for.
        population: Whom the rate was measured on; a rate is never printed without it.
    """

    rate: float
    low: float
    high: float
    level: float
    people: int
    population: str

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.rate <= self.high <= 1:
            raise UsageError(f"a rate lies within its interval within 0..1; got {self.low}, {self.rate}, {self.high}")
        if not 0 < self.level < 1:
            raise UsageError(f"a confidence level lies between 0 and 1; got {self.level}")
        if not self.population:
            raise UsageError("a rate must name the population it was measured on")

    def __str__(self) -> str:
        return f"{self.rate:.2g} ({100 * self.level:g} %: {self.low:.2g} .. {self.high:.2g}; {self.population})"

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "rate": self.rate,
            "low": self.low,
            "high": self.high,
            "level": self.level,
            "people": self.people,
            "population": self.population,
        }


@dataclass(frozen=True, slots=True)
class SearchRate:
    """The false positive identification rate that a threshold is for, and where it will lie on other people.

    Attributes:
        rate: The rate that was asked for, 0..1.
        low: Lower end of the interval; None in a gallery larger than those in which the rate was measured: there the
            threshold is carried on, and no interval is known.
        high: Upper end; None as ``low``.
        level: Confidence level of the interval.
        people: Strangers that the interval predicts for.
        population: Whom the rate was measured on; a rate is never printed without it.
    """

    rate: float
    low: float | None
    high: float | None
    level: float
    people: int
    population: str

    def __post_init__(self) -> None:
        self._interval()

    def _interval(self) -> RateInterval:
        low = self.rate if self.low is None else self.low
        high = self.rate if self.high is None else self.high
        if (self.low is None) != (self.high is None):
            raise UsageError("an interval has both ends, or none")
        return RateInterval(self.rate, low, high, self.level, self.people, self.population)

    def __str__(self) -> str:
        told = f"{self.rate:.2g} (no interval: beyond what was measured; {self.population})"
        return told if self.low is None else str(self._interval())

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return asdict(self)
