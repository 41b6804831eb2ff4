"""Mirroring a crop."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_SWAPPED = np.array([1, 0, 2, 4, 3])


def flip(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The mirror image, left and right exchanged; uint8 ``(H, W, 3)``."""
    return np.asarray(cv2.flip(crop, 1), np.uint8)


def flip_points(points: NDArray[np.float32], *, width: int) -> NDArray[np.float32]:
    """Five points of a crop where they lie in its mirror image; left and right are as seen, so eyes and corners swap.

    Args:
        points: float32 ``(..., 5, 2)``: left eye, right eye, nose, left and right mouth corner.
        width: Of the crop, in pixels.
    """
    moved = points[..., _SWAPPED, :].copy()
    moved[..., 0] = width - 1 - moved[..., 0]
    return moved
