"""Which faces of one collection may be people of another, by how alike they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError

_BLOCK = 2048


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The nearest face among others of each of some faces.

    Attributes:
        similarity: float32 ``(N,)``, cosine, -1..1.
        row: int64 ``(N,)``, row of the nearest among the others; the first of equals.
    """

    similarity: NDArray[np.float32]
    row: NDArray[np.int64]


def nearest(vectors: NDArray[np.floating], others: NDArray[np.floating]) -> Nearest:
    """The most similar of other embeddings, for each.

    Args:
        vectors: float ``(N, D)`` of unit norm.
        others: float ``(M, D)`` of unit norm.

    Raises:
        UsageError: Shapes that do not fit, none to compare with, or values that are not finite.
    """
    if vectors.ndim != 2 or others.ndim != 2 or vectors.shape[1] != others.shape[1] or not len(others):
        raise UsageError(f"embeddings are (N, D) and (M, D), M at least 1; got {vectors.shape} and {others.shape}")
    if not (np.isfinite(vectors).all() and np.isfinite(others).all()):
        raise UsageError("embeddings hold values that are not finite; leave out the faces that they are of")
    best = np.full(len(vectors), -np.inf, np.float32)
    row = np.zeros(len(vectors), np.int64)
    for start in range(0, len(others), _BLOCK):
        part = np.asarray(others[start : start + _BLOCK], np.float32).T
        for first in range(0, len(vectors), _BLOCK):
            here = slice(first, first + _BLOCK)
            scores = np.asarray(vectors[here], np.float32) @ part
            place = scores.argmax(axis=1)
            found = scores[np.arange(len(scores)), place]
            better = found > best[here]
            best[here] = np.where(better, found, best[here])
            row[here] = np.where(better, start + place, row[here])
    return Nearest(best, row)
