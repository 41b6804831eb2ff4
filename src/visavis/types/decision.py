"""Decision: the answer to "are these the same person?"."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from visavis.errors import UsageError
from visavis.types.assessment import Assessment
from visavis.types.operating_point import FMR
from visavis.types.provenance import Provenance
from visavis.types.rate_interval import RateInterval
from visavis.types.second_opinion import SecondOpinion

Answer = Literal["same", "different", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer with the operating point it was taken at.

    Attributes:
        answer: ``same``, ``different`` or ``inconclusive``.
        similarity: Cosine of the two templates, -1..1, higher is closer.
        threshold: Similarities at or above it are ``same``, unless a reason makes the answer ``inconclusive``.
        at: The operating point that was asked for.
        population: Whom the false match rate was measured on; a rate is never printed without it.
        calibration: Name of the calibration that gave the threshold.
        space: Fingerprint of the template space.
        made_by: Engine, precision and versions.
        warnings: What the reader must know before relying on the answer.
        fmr: The false match rate at the threshold with its prediction interval; None where the calibration has none.
        band: Similarities from the first up to the second are ``inconclusive``: thresholds of the upper and the
            lower end of that interval.
        llr: log10 of the likelihood ratio of the similarity; None where the calibration has none, or
            where it does not hold: of a face below the limits of the recogniser, and of children.
        reasons: Why the answer is ``inconclusive``; empty otherwise.
        quality: Assessment of the pictures of both sides, a row a picture; None where it was not assessed.
        second: A second embedder's opinion, when it was asked for.
        groups: False match rates of the same threshold in groups of the population, as the calibration carries them:
            the worst group, and children.
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
    fmr: RateInterval | None = None
    band: tuple[float, float] | None = None
    llr: float | None = None
    reasons: tuple[str, ...] = ()
    quality: tuple[Assessment, Assessment] | None = field(default=None, compare=False)
    second: SecondOpinion | None = None
    groups: tuple[RateInterval, ...] = ()

    def __post_init__(self) -> None:
        if self.answer not in ("same", "different", "inconclusive"):
            raise UsageError(f"an answer is same, different or inconclusive; got {self.answer!r}")
        if not self.population:
            raise UsageError("a decision must name the population its false match rate was measured on")
        if (self.answer == "inconclusive") != bool(self.reasons):
            raise UsageError("an inconclusive decision has reasons, and no other has")

    def __str__(self) -> str:
        return (
            f"{self.answer} (similarity {self.similarity:.3f}, threshold {self.threshold:.3f} at {self.at}; "
            f"{self.population})"
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        sides = None if self.quality is None else [side.to_dicts() for side in self.quality]
        return {
            "answer": self.answer,
            "reasons": list(self.reasons),
            "similarity": self.similarity,
            "threshold": self.threshold,
            "band": None if self.band is None else list(self.band),
            "at": self.at.to_dict(),
            "fmr": None if self.fmr is None else self.fmr.to_dict(),
            "llr": self.llr,
            "population": self.population,
            "groups": [group.to_dict() for group in self.groups],
            "calibration": self.calibration,
            "space": self.space,
            "made_by": self.made_by.to_dict(),
            "quality": None if sides is None else {"left": sides[0], "right": sides[1]},
            "second": None if self.second is None else self.second.to_dict(),
            "warnings": list(self.warnings),
        }
