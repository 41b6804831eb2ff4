"""A crop that was small once."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_INTERPOLATIONS = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_AREA, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)


def lower_resolution(
    crop: NDArray[np.uint8], rng: np.random.Generator, *, share: tuple[float, float] = (0.2, 1.0)
) -> NDArray[np.uint8]:
    """Made smaller and as large as before, each by a random interpolation.

    The low-resolution augmentation of AdaFace (Kim et al. 2022, section 4.1 and released code).

    Args:
        crop: uint8 ``(H, W, 3)``.
        rng: What size and interpolations are drawn from.
        share: The side in between as a share of the side, drawn evenly. AdaFace: 0.2 to 1.
    """
    height, width = crop.shape[:2]
    factor = rng.uniform(*share)
    down, up = rng.integers(0, len(_INTERPOLATIONS), 2)
    small = max(1, int(factor * width)), max(1, int(factor * height))
    little = cv2.resize(crop, small, interpolation=_INTERPOLATIONS[down])
    return np.asarray(cv2.resize(little, (width, height), interpolation=_INTERPOLATIONS[up]), np.uint8)
