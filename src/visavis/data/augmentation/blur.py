"""A crop out of focus."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def blur(
    crop: NDArray[np.uint8], rng: np.random.Generator, *, sigma: tuple[float, float] = (0.8, 1.1)
) -> NDArray[np.uint8]:
    """A Gaussian blur of random width.

    The DALI pipeline of insightface's arcface_torch blurs with windows of 3 and 5 pixels, which are Gaussians of 0.8
    and 1.1 pixels; here the width lies anywhere between.

    Args:
        crop: uint8 ``(H, W, 3)``.
        rng: What the width is drawn from.
        sigma: Standard deviation in pixels of the crop, drawn evenly.
    """
    width = float(rng.uniform(*sigma))
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), width), np.uint8)
