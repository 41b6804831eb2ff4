"""One direction from the templates of one person: the rule that recognition, galleries and their checks share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEAST_WEIGHT = 1.0
"""Weight of a picture whose quality is lower, or unknown; of 100."""

CANCELLED = 1e-6
"""A mean of unit vectors that is shorter has no direction: they cancel each other out."""


def quality_weights(quality: ArrayLike) -> NDArray[np.float64]:
    """Weights of pictures: their quality in 0..100, at least 1; one that is NaN counts 1.

    Args:
        quality: ``(N,)``.

    Returns:
        float64 ``(N,)``.
    """
    return np.maximum(np.nan_to_num(np.asarray(quality, np.float64), nan=LEAST_WEIGHT), LEAST_WEIGHT)


def pooled_directions(
    vectors: NDArray[np.floating], weights: NDArray[np.floating], starts: NDArray[np.integer]
) -> NDArray[np.float32]:
    """The weighted mean of each group of unit vectors, at unit length.

    Args:
        vectors: Unit vectors ``(N, D)``, those of a group one after the other.
        weights: Above 0, ``(N,)``.
        starts: First row of each group ``(G,)``, increasing from 0.

    Returns:
        float32 ``(G, D)``; NaN where the vectors of a group cancel each other out.
    """
    sums = np.add.reduceat(vectors * np.asarray(weights, np.float64)[:, None], starts, axis=0)
    means = sums / np.add.reduceat(np.asarray(weights, np.float64), starts)[:, None]
    lengths = np.linalg.norm(means, axis=1)
    lengths[lengths < CANCELLED] = np.nan
    return np.asarray(means / lengths[:, None], np.float32)
