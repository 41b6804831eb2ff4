"""Operating points: at which error rate a decision is taken."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from visavis.errors import UsageError


@dataclass(frozen=True, slots=True)
class FMR:
    """A target false match rate, for example ``FMR(1e-3)``: one in a thousand random impostors.

    Attributes:
        rate: Greater than 0, less than 1.
        worst_group: The rate shall hold within each group of people that the calibration measured, so for the worst
            of them, not for random impostors.
    """

    rate: float
    worst_group: bool = False

    def __post_init__(self) -> None:
        _check(self.rate, "match", "FMR(1e-3)")

    @classmethod
    def parse(cls, text: str) -> FMR:
        """Read ``fmr=1e-3`` or ``fmr=1e-3,worst-group``.

        Raises:
            UsageError: Another form.
        """
        point, comma, group = text.strip().partition(",")
        rate = _read(point, "fmr")
        if rate is None or (comma and group.strip().lower() != "worst-group"):
            raise UsageError(
                f"an operating point is written fmr=RATE or fmr=RATE,worst-group, for example fmr=1e-3; got {text!r}"
            )
        return cls(rate, bool(comma))

    def __str__(self) -> str:
        return f"fmr={self.rate:g}{',worst-group' if self.worst_group else ''}"

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"fmr": self.rate, "worst_group": self.worst_group}


@dataclass(frozen=True, slots=True)
class FPIR:
    """A target false positive identification rate, for example ``FPIR(1e-2)``.

    Of a hundred searches with faces of people who are not enrolled, one names somebody. The rate is that of the whole
    search, so its threshold depends on how many people the gallery holds.

    Attributes:
        rate: Greater than 0, less than 1.
    """

    rate: float

    def __post_init__(self) -> None:
        _check(self.rate, "positive identification", "FPIR(1e-2)")

    @classmethod
    def parse(cls, text: str) -> FPIR:
        """Read ``fpir=1e-2``.

        Raises:
            UsageError: Another form.
        """
        rate = _read(text, "fpir")
        if rate is None:
            raise UsageError(
                f"an operating point of a search is written fpir=RATE, for example fpir=1e-2; got {text!r}"
            )
        return cls(rate)

    def __str__(self) -> str:
        return f"fpir={self.rate:g}"

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"fpir": self.rate}


def _check(rate: Any, kind: str, example: str) -> None:
    """Refuse a rate that is none."""
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not math.isfinite(rate):
        raise UsageError(f"a false {kind} rate is a number between 0 and 1, for example {example}; got {rate!r}")
    if not 0 < rate < 1:
        raise UsageError(f"a false {kind} rate lies between 0 and 1, both excluded; got {rate!r}")


def _read(text: str, name: str) -> float | None:
    """The number of ``name=NUMBER``; None for another form."""
    given, equals, value = text.strip().partition("=")
    if not equals or given.strip().lower() != name:
        return None
    try:
        return float(value)
    except ValueError:
        return None
