"""A picture of fewer pixels."""

from __future__ import annotations

import cv2
import numpy as np

from visavis.data.degradation.operator import FacePlace, Pixels


def down_sample(pixels: Pixels, face: FacePlace, side: float, *, kernel: int) -> Pixels:
    """The picture reduced until the longer side of the face's box has ``side`` pixels, and left at that size.

    As from a camera further away: the detector sees the small picture. A face that is smaller already stays as it is.

    Args:
        pixels: uint8 RGB ``(H, W, 3)``.
        face: The face.
        side: Pixels of the face's longer side afterwards.
        kernel: OpenCV's number of the interpolation: ``cv2.INTER_AREA`` averages all pixels, others take four or
            sixteen and let the rest alias.
    """
    factor = side / max(face.side, 1e-6)
    if factor >= 1:
        return pixels
    size = [max(1, round(length * factor)) for length in (pixels.shape[1], pixels.shape[0])]
    return np.asarray(cv2.resize(pixels, size, interpolation=kernel), np.uint8)
