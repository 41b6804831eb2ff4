"""Exposure: how much of the face is neither black nor burnt out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visavis.quality.column import quality_column
from visavis.quality.region import face_region
from visavis.quality.scale import Scale
from visavis.types import FaceContext, Quality

_BLACK, _WHITE = 25, 250


def exposed_share(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """The share of the face whose brightness is at least 25 and at most 250 of 255.

    A tenth of the range above black, because sensor noise and JPEG leave no detail there; dark skin in ordinary light
    lies above it.

    Args:
        luma: float32 ``(N, H, W)`` in 0..255, aligned crops.

    Returns:
        float32 ``(N,)`` in 0..1.
    """
    share: NDArray[np.float32] = exposed(face_region(luma)).mean(axis=(1, 2), dtype=np.float32)
    return share


def exposed(luma: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which pixels are neither black nor burnt out; bool of the same shape."""
    return np.asarray((luma >= _BLACK) & (luma <= _WHITE))


class ExposureScorer:
    """Measure ``exposure``: `exposed_share`; higher is better."""

    scale = Scale(0.0, 1.0, "no people: the share itself")

    def assess(self, context: FaceContext) -> Quality:
        """One share a face."""
        dark = face_region(context.luma).mean(axis=(1, 2)) < 128

        def reason(row: int, share: float) -> str:
            return f"{100 * (1 - share):.0f} % of the face is {'nearly black' if dark[row] else 'burnt out'}"

        share = exposed_share(context.luma)
        return quality_column("exposure", share, self.scale, context.status, unit="share", reason=reason)
