"""A comparison with everything it rests on."""

from __future__ import annotations

from dataclasses import dataclass

from visavis.calibration.table import Calibration
from visavis.pipeline.side import Side
from visavis.quality.policy import QualityPolicy
from visavis.types import Decision


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """What a report is written of: the decision, both sides, and the calibration that it was taken with.

    Attributes:
        decision: The answer.
        left: The first side.
        right: The second side.
        calibration: Where the threshold and its error rates come from.
        policy: Which faces were good enough.
    """

    decision: Decision
    left: Side
    right: Side
    calibration: Calibration
    policy: QualityPolicy

    @property
    def unfit(self) -> bool:
        """Whether a face fails the limits of the recogniser: the likelihood ratio, fitted on others, does not hold."""
        return self.left.low or self.right.low
