"""A crop of which only a window is kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visavis.data.augmentation.rectangle import random_rectangle


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
    place = random_rectangle(rng, height=crop.shape[0], width=crop.shape[1], area=area, ratio=ratio)
    if place is None:
        return crop
    kept = np.zeros_like(crop)
    kept[place] = crop[place]
    return kept
