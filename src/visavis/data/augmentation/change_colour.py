"""A crop in other light."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_LEVELS = np.arange(256, dtype=np.float64)


def change_colour(
    crop: NDArray[np.uint8],
    rng: np.random.Generator,
    *,
    brightness: float = 0.5,
    contrast: float = 0.5,
    saturation: float = 0.5,
) -> NDArray[np.uint8]:
    """Brightness, contrast and saturation, each by a random factor, in random order.

    The photometric augmentation of AdaFace (Kim et al. 2022, released code: factors of 0.5 to 1.5, no change of hue).

    Args:
        crop: uint8 RGB ``(H, W, 3)``.
        rng: What the factors are drawn from.
        brightness: The factor is drawn evenly from 1 - x to 1 + x.
        contrast: As above; about the mean grey of the crop.
        saturation: As above; about each pixel's grey.
    """
    factors = 1 + rng.uniform(-1, 1, 3) * (brightness, contrast, saturation)
    for step in rng.permutation(3):
        factor = float(factors[step])
        if step == 0:
            crop = _levels(crop, factor, 0.0)
        elif step == 1:
            grey = float(cv2.mean(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY))[0])
            crop = _levels(crop, factor, (1 - factor) * grey)
        else:
            grey3 = cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
            crop = np.asarray(cv2.addWeighted(crop, factor, grey3, 1 - factor, 0), np.uint8)
    return crop


def _levels(crop: NDArray[np.uint8], factor: float, shift: float) -> NDArray[np.uint8]:
    table = np.clip(np.rint(factor * _LEVELS + shift), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(crop, table), np.uint8)
