"""Size: how many pixels of the stored picture show the face."""

from __future__ import annotations

import numpy as np

from visavis.quality.column import quality_column
from visavis.quality.scale import Scale
from visavis.types import FaceContext, Quality


class SizeScorer:
    """Measure ``size``: the longer side of the box, in pixels of the picture as it is stored.

    An enlarged picture has a large face without its detail; ``sharpness`` sees that.
    """

    scale = Scale(
        16,
        112,
        "no people: at 112 pixels a recogniser's crop is about as fine as the picture; 16 are a seventh of that",
        logarithmic=True,
    )

    def assess(self, context: FaceContext) -> Quality:
        """One size a face."""
        boxes = context.faces.boxes
        sides = (boxes[:, 2:] - boxes[:, :2]) * context.scale
        longer = sides.max(axis=1, initial=-np.inf) if len(sides) else np.empty(0, np.float32)
        return quality_column(
            "size",
            longer,
            self.scale,
            context.status,
            unit="pixels",
            reason=lambda _, value: f"the face is {value:.0f} pixels high",
        )
