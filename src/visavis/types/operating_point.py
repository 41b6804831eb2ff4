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
        if isinstance(self.rate, bool) or not isinstance(self.rate, int | float) or not math.isfinite(self.rate):
            raise UsageError(
                f"a false match rate is a number between 0 and 1, for example FMR(1e-3); got {self.rate!r}"
            )
        if not 0 < self.rate < 1:
            raise UsageError(f"a false match rate lies between 0 and 1, both excluded; got {self.rate!r}")

    @classmethod
    def parse(cls, text: str) -> FMR:
        """Read ``fmr=1e-3`` or ``fmr=1e-3,worst-group``.

        Raises:
            UsageError: Another form.
        """
        point, comma, group = text.strip().partition(",")
        name, equals, value = point.partition("=")
        try:
            if comma and group.strip().lower() != "worst-group":
                raise ValueError(text)
            if name.strip().lower() != "fmr" or not equals:
                raise ValueError(text)
            rate = float(value)
        except ValueError:
            raise UsageError(
                f"an operating point is written fmr=RATE or fmr=RATE,worst-group, for example fmr=1e-3; got {text!r}"
            ) from None
        return cls(rate, bool(comma))

    def __str__(self) -> str:
        return f"fmr={self.rate:g}{',worst-group' if self.worst_group else ''}"

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"fmr": self.rate, "worst_group": self.worst_group}
