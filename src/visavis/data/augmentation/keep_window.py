"""A crop of which only a window is kept."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_TRIES = 10


def keep_window(
    crop: NDArray[np.uint8],
    rng: np.random.Generator,
    *,
    area: tuple[float, float] = (0.2, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> NDArray[np.uint8]:
    """Black outside of a random window; nothing moves.

    The crop augmentation of AdaFace (Kim et al. 2022, section 4.1 and released code): the window of a random resized
    crop, put back where it was.

    Args:
        crop: uint8 ``(H, W, 3)``.
        rng: What the window is drawn from.
        area: Share of the picture that is kept, drawn evenly. AdaFace: 0.2 to 1.
        ratio: Width by height, drawn evenly in its logarithm. AdaFace: 3/4 to 4/3.
    """
    height, width = crop.shape[:2]
    kept = np.zeros_like(crop)
    for _ in range(_TRIES):
        pixels = rng.uniform(*area) * height * width
        shape = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
        wide, high = round(math.sqrt(pixels * shape)), round(math.sqrt(pixels / shape))
        if 0 < wide <= width and 0 < high <= height:
            top, left = int(rng.integers(0, height - high + 1)), int(rng.integers(0, width - wide + 1))
            break
    else:
        top, left, high, wide = 0, 0, height, width
    kept[top : top + high, left : left + wide] = crop[top : top + high, left : left + wide]
    return kept
