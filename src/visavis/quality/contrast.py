"""Contrast: how far apart the bright and the dark parts of the face are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visavis.quality.column import quality_column
from visavis.quality.region import face_region
from visavis.quality.scale import Scale
from visavis.types import FaceContext, Quality


def brightness_range(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """The distance between the 5th and the 95th percentile of the brightness of the face.

    Args:
        luma: float32 ``(N, H, W)`` in 0..255, aligned crops.

    Returns:
        float32 ``(N,)`` in 0..255.
    """
    face = face_region(luma)
    flat = face.reshape(len(face), face.shape[1] * face.shape[2])
    low, high = np.percentile(flat, (5, 95), axis=1)
    wide: NDArray[np.float32] = (high - low).astype(np.float32)
    return wide


class ContrastScorer:
    """Measure ``contrast``: `brightness_range`; higher is better."""

    scale = Scale(
        8,
        128,
        "no people: half of the 256 levels is ample; at 8 of them, JPEG leaves blocks only",
        logarithmic=True,
    )

    def assess(self, context: FaceContext) -> Quality:
        """One range a face."""
        return quality_column(
            "contrast",
            brightness_range(context.luma),
            self.scale,
            context.status,
            unit="levels of 255",
            reason=lambda _, value: f"the face spans {value:.0f} of 255 levels of brightness",
        )
