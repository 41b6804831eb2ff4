"""Faces of which nothing is left that anybody could recognise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.data.philox import generator

_PURPOSE = 44
_SHARE = (0.03, 0.055)
_NOISE = 12.0


def make_unrecognisable(crops: NDArray[np.uint8], *, seed: int) -> NDArray[np.uint8]:
    """Crops reduced to 3 to 5.5 % of their side, 3 to 6 pixels of 112, and enlarged again, with some noise in between.

    Degraded faces, as those are better examples of the unrecognisable than things that are no faces. Reduced by means
    of areas or bilinear, noise of a standard deviation of up to 12 of 255, enlarged bicubic; what a row gets depends on
    the seed and its place alone.

    Args:
        crops: uint8 RGB ``(N, H, W, 3)``.
        seed: Of all that is drawn.

    Returns:
        uint8 RGB ``(N, H, W, 3)``.
    """
    made = np.empty_like(crops)
    for row, crop in enumerate(crops):
        rng = generator(seed, _PURPOSE, row)
        height, width = crop.shape[:2]
        share = rng.uniform(*_SHARE)
        small = max(2, round(share * width)), max(2, round(share * height))
        kernel = (cv2.INTER_AREA, cv2.INTER_LINEAR)[int(rng.integers(2))]
        little = cv2.resize(crop, small, interpolation=kernel).astype(np.float32)
        little += rng.normal(0, rng.uniform(0, _NOISE), little.shape)
        little = np.clip(np.rint(little), 0, 255).astype(np.uint8)
        made[row] = cv2.resize(little, (width, height), interpolation=cv2.INTER_CUBIC)
    return made
