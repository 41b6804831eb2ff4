"""A random rectangle in a crop."""

from __future__ import annotations

import math

import numpy as np

_TRIES = 10


def random_rectangle(
    rng: np.random.Generator,
    *,
    height: int,
    width: int,
    area: tuple[float, float],
    ratio: tuple[float, float],
) -> tuple[slice, slice] | None:
    """Rows and columns of a rectangle that lies in the picture, as in a random resized crop.

    Args:
        rng: What it is drawn from.
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        area: Share of the picture's area, drawn evenly.
        ratio: Width by height, drawn evenly in its logarithm.

    Returns:
        None when ten draws gave none that fits.
    """
    for _ in range(_TRIES):
        pixels = rng.uniform(*area) * height * width
        shape = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
        wide, high = round(math.sqrt(pixels * shape)), round(math.sqrt(pixels / shape))
        if 0 < wide <= width and 0 < high <= height:
            top, left = int(rng.integers(0, height - high + 1)), int(rng.integers(0, width - wide + 1))
            return slice(top, top + high), slice(left, left + wide)
    return None
