"""Sharpness: how much fine detail the face has beside its coarse structure."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.quality.column import quality_column
from visavis.quality.region import face_region
from visavis.quality.scale import Scale
from visavis.types import FaceContext, Quality

WIDTH = 5
"""Side of the blur."""
FLOOR = 0.05
"""Mean step of brightness between neighbours, below that of rounding: a flat face is not sharp."""


def detail_share(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """The share of the steps between neighbouring pixels that a blur of 5 x 5 pixels takes away.

    A picture that is blurred already loses little by another blur (Crete et al. 2007, "The blur effect"); a share does
    not depend on contrast. It is taken in the aligned crop, so that a small face, enlarged to the crop, is as blurred
    as it looks to the recogniser. Noise looks like detail to it.

    Args:
        luma: float32 ``(N, H, W)`` in 0..255, aligned crops.

    Returns:
        float32 ``(N,)`` in 0..1: 0 for a flat face, 0.9 for white noise.
    """
    before = np.array([_steps(crop) for crop in luma], np.float64)
    after = np.array([_steps(smoothed(crop)) for crop in luma], np.float64)
    return detail_of(before, after)


def smoothed(crop: NDArray[np.float32]) -> NDArray[np.float32]:
    """The crop ``(H, W)`` after the blur of 5 x 5 pixels."""
    return np.asarray(cv2.blur(crop, (WIDTH, WIDTH)), np.float32)


def detail_of(before: NDArray[np.floating], after: NDArray[np.floating]) -> NDArray[np.float32]:
    """The share that a blur takes away of mean steps of brightness, 0..1.

    Args:
        before: Mean step between neighbouring pixels, any shape.
        after: The same after the blur.
    """
    share: NDArray[np.float32] = np.clip(1 - (after + FLOOR) / (before + FLOOR), 0, 1).astype(np.float32)
    return share


def _steps(crop: NDArray[np.float32]) -> float:
    face = face_region(crop[None])[0]
    return float(np.abs(np.diff(face, axis=0)).mean() + np.abs(np.diff(face, axis=1)).mean()) / 2


class SharpnessScorer:
    """Measure ``sharpness``: `detail_share`; higher is better."""

    scale = Scale(
        0.05,
        0.40,
        "CelebA people of role train: the median of 2,578 pictures is 0.41; 0.05 is that of those blurred until most "
        "are not recognised (Gaussian, sigma 4 pixels of the crop)",
    )

    def assess(self, context: FaceContext) -> Quality:
        """One ratio a face."""
        return quality_column(
            "sharpness",
            detail_share(context.luma),
            self.scale,
            context.status,
            unit="",
            reason=lambda *_: "the face is blurred or enlarged",
        )
