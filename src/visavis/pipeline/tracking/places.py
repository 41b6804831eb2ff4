"""Where a face is expected, and how well a box fits there."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def overlaps(one: ArrayLike, other: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of every pair of boxes.

    Args:
        one: ``(N, 4)`` xyxy.
        other: ``(M, 4)`` xyxy.

    Returns:
        float64 ``(N, M)`` in 0..1.

    Example:
        >>> overlaps([[0, 0, 2, 2]], [[0, 0, 2, 1], [5, 5, 6, 6]]).tolist()
        [[0.5, 0.0]]
    """
    a, b = (np.asarray(boxes, np.float64).reshape(-1, 4) for boxes in (one, other))
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (a, b)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def expected(box: NDArray[np.floating], speed: NDArray[np.floating], seconds: float) -> NDArray[np.float64]:
    """Where a box is after so many seconds at an even speed.

    Args:
        box: xyxy ``(4,)``.
        speed: Of its centre, pixels a second ``(2,)``.
        seconds: How long.
    """
    return np.asarray(box, np.float64) + np.tile(np.asarray(speed, np.float64) * seconds, 2)


def speed_of(
    before: NDArray[np.floating], after: NDArray[np.floating], seconds: float, *, earlier: NDArray[np.floating]
) -> NDArray[np.float64]:
    """The speed of a box's centre: the mean of what it was and of what it just did, pixels a second ``(2,)``."""
    moved = (np.asarray(after, np.float64) - before).reshape(2, 2).mean(axis=0) / max(seconds, 1e-3)
    return np.asarray((np.asarray(earlier, np.float64) + moved) / 2)
