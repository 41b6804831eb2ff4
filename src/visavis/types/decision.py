"""Decision: the answer to "are these the same person?"."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from visavis.errors import UsageError
from visavis.types.operating_point import FMR
from visavis.types.provenance import Provenance

Answer = Literal["same", "different", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer with the operating point it was taken at.

    Attributes:
        answer: ``same``, ``different`` or ``inconclusive``.
        similarity: Cosine of the two templates, -1..1, higher is closer.
        threshold: Similarities at or above it are ``same``.
        at: The operating point that was asked for.
        population: Whom the false match rate was measured on; a rate is never printed without it.
        calibration: Name of the calibration that gave the threshold.
        space: Fingerprint of the template space.
        made_by: Engine, precision and versions.
        warnings: What the reader must know before relying on the answer.
    """

    answer: Answer
    similarity: float
    threshold: float
    at: FMR
    population: str
    calibration: str
    space: str
    made_by: Provenance
    warnings: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.answer not in ("same", "different", "inconclusive"):
            raise UsageError(f"an answer is same, different or inconclusive; got {self.answer!r}")
        if not self.population:
            raise UsageError("a decision must name the population its false match rate was measured on")

    def __str__(self) -> str:
        return (
            f"{self.answer} (similarity {self.similarity:.3f}, threshold {self.threshold:.3f} at {self.at}; "
            f"{self.population})"
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "answer": self.answer,
            "similarity": self.similarity,
            "threshold": self.threshold,
            "at": {"fmr": self.at.rate},
            "population": self.population,
            "calibration": self.calibration,
            "space": self.space,
            "made_by": self.made_by.to_dict(),
            "warnings": list(self.warnings),
        }
