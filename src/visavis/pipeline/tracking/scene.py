"""Where the scene changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BINS = 6
_SHARED = 0.6
"""Two pictures of one scene share more than this of their colours."""
_CHANGE = 20.0
"""And differ by less than this in each place, on average, of 255."""


def is_cut(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> bool:
    """Whether two pictures, one look apart, are of two scenes: other colours, and in other places.

    A camera that pans changes the places and keeps the colours; a light that is switched on changes both, and counts
    as another scene, which costs nothing but a comparison of faces.

    Args:
        before: uint8 ``(H, W, 3)``, small.
        after: The same shape.
    """
    if np.abs(before.astype(np.int16) - after).mean() < _CHANGE:
        return False
    shared = np.minimum(_colours(before), _colours(after)).sum()
    return bool(shared < _SHARED)


def _colours(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Share of the pixels in each of 6 x 6 x 6 colours."""
    levels = (picture.reshape(-1, 3).astype(np.int64) * _BINS) // 256
    counts = np.bincount(levels @ np.array([_BINS * _BINS, _BINS, 1]), minlength=_BINS**3)
    return np.asarray(counts / counts.sum())
