"""A crop with something in front of it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_TRIES = 10


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
    height, width = crop.shape[:2]
    covered = crop.copy()
    for _ in range(_TRIES):
        pixels = rng.uniform(*area) * height * width
        shape = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
        wide, high = round(math.sqrt(pixels * shape)), round(math.sqrt(pixels / shape))
        if 0 < wide < width and 0 < high < height:
            top, left = int(rng.integers(0, height - high + 1)), int(rng.integers(0, width - wide + 1))
            covered[top : top + high, left : left + wide] = rng.integers(0, 256, 3, dtype=np.uint8)
            break
    return covered
