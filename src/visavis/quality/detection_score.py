"""Detection: how sure the detector is that this is a face."""

from __future__ import annotations

from visavis.quality.column import quality_column
from visavis.quality.scale import Scale
from visavis.types import FaceContext, Quality


class DetectionScorer:
    """Measure ``detection``: the detector's score; higher is better."""

    scale = Scale(0.5, 0.95, "no people: half is a guess; the default detector gives 0.95 to a drawn, frontal face")

    def assess(self, context: FaceContext) -> Quality:
        """One score a face."""
        return quality_column(
            "detection",
            context.faces.score,
            self.scale,
            context.status,
            unit="",
            reason=lambda _, value: f"the detector is not sure that this is a face ({value:.2f} of 1)",
        )
