"""A second embedder's view of a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """What another recogniser says of the same two sides at the same operating point.

    Attributes:
        model: Name of the second recogniser.
        answer: ``same`` or ``different`` at its own threshold.
        similarity: Cosine of its templates.
        threshold: Its own threshold at the operating point.
        calibration: Name of its calibration.
        population: Whom its false match rate was measured on.
        llr: Its log10 likelihood ratio; None when its calibration has none.
        agrees: Whether the answer is that of the first recogniser.
    """

    model: str
    answer: Literal["same", "different"]
    similarity: float
    threshold: float
    calibration: str
    population: str
    llr: float | None
    agrees: bool

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {name: getattr(self, name) for name in self.__slots__}
