"""A crop with something in front of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visavis.data.augmentation.rectangle import random_rectangle


def occlude(
    crop: NDArray[np.uint8],
    rng: np.random.Generator,
    *,
    area: tuple[float, float] = (0.02, 0.4),
    ratio: tuple[float, float] = (0.3, 1 / 0.3),
) -> NDArray[np.uint8]:
    """One random rectangle of one random colour.

    Random erasing (Zhong et al. 2020, algorithm 1), with one colour instead of noise, as things before faces have.

    Args:
        crop: uint8 ``(H, W, 3)``.
        rng: What the rectangle is drawn from.
        area: Its share of the picture, drawn evenly. Paper: 0.02 to 0.4.
        ratio: Width by height, drawn evenly in its logarithm. Paper: 0.3 to 1/0.3.
    """
    place = random_rectangle(rng, height=crop.shape[0], width=crop.shape[1], area=area, ratio=ratio)
    if place is None:
        return crop
    covered = crop.copy()
    covered[place] = rng.integers(0, 256, 3, dtype=np.uint8)
    return covered
