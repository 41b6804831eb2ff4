"""A crop that is moved by some pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def shift(
    crop: NDArray[np.uint8], points: NDArray[np.float32], rng: np.random.Generator, *, most: float = 1 / 16
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Move a crop by whole pixels; what is uncovered repeats the border.

    The official training of Light CNN (Wu et al. 2018) cuts 128 pixels anywhere out of crops of 144, which moves the
    face by up to 8 of 128 pixels.

    Args:
        crop: uint8 ``(H, W, 3)``.
        points: float32 ``(..., 2)`` in pixels of the crop.
        rng: What the move is drawn from, evenly.
        most: Largest move along each axis, as a share of the side.

    Returns:
        The crop, and where the points lie in it.
    """
    height, width = crop.shape[:2]
    down, right = (int(rng.integers(-reach, reach + 1)) for reach in (round(height * most), round(width * most)))
    border = (max(down, 0), max(-down, 0), max(right, 0), max(-right, 0))
    whole = cv2.copyMakeBorder(crop, *border, cv2.BORDER_REPLICATE)
    top, left = max(-down, 0), max(-right, 0)
    moved = np.ascontiguousarray(whole[top : top + height, left : left + width])
    return np.asarray(moved, np.uint8), points + np.array([right, down], np.float32)
