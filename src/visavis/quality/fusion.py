"""Fusion: one score of all measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visavis.errors import UsageError
from visavis.quality.scale import Scale
from visavis.types import Quality

FUSED = "quality"
"""Name of the fused score among the measures."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """A weighted sum of scores, on a scale of its own.

    No weight is negative: a face that is better by one measure and worse by none has no lower fused score.

    Attributes:
        weights: By measure, its share; they sum to 1.
        scale: From the weighted mean of the scores to the fused score.
        source: Where the weights come from.
    """

    weights: tuple[tuple[str, float], ...]
    scale: Scale
    source: str

    def __post_init__(self) -> None:
        values = [value for _, value in self.weights]
        if not values or min(values) < 0 or abs(sum(values) - 1) > 1e-6:
            raise UsageError(f"the weights of a Fusion are not negative and sum to 1; got {dict(self.weights)}")

    def fuse(self, measures: Sequence[Quality]) -> Quality:
        """The fused score of each face, with the reasons of all measures; ``raw`` is the weighted mean of the scores.

        Args:
            measures: One column a measure, of one length; those without weight only give reasons.

        Raises:
            UsageError: A measure that has a weight is missing.
        """
        columns = {quality.measure: quality for quality in measures}
        missing = [name for name, _ in self.weights if name not in columns]
        if missing:
            raise UsageError(f"the fused score needs the measures {', '.join(missing)}; got {', '.join(columns)}")
        mean = sum(weight * columns[name].score.astype(np.float64) for name, weight in self.weights)
        raw = np.asarray(mean, np.float32)
        reasons = tuple("; ".join(filter(None, row)) for row in zip(*(q.reasons for q in measures), strict=True))
        return Quality(FUSED, raw, self.scale.score(raw), measures[0].status, "", reasons)
