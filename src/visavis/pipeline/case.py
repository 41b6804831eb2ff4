"""A comparison with everything it rests on."""

from __future__ import annotations

from dataclasses import dataclass

from visavis.calibration.table import Calibration
from visavis.pipeline.side import Side
from visavis.types import Decision


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """What a report is written of: the decision, both sides, and the calibration that it was taken with.

    Attributes:
        decision: The answer.
        left: The first side.
        right: The second side.
        calibration: Where the threshold and its error rates come from.
    """

    decision: Decision
    left: Side
    right: Side
    calibration: Calibration

    @property
    def unfit(self) -> bool:
        """Whether a face fails the quality limits: the likelihood ratio, fitted on others, does not hold then."""
        return any(any(side.unfit) for side in (self.left, self.right))
