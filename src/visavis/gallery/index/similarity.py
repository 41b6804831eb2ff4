"""What a similarity is, to the last bit, and which of two equal ones comes first.

Every search of this room gives the rows that a plain loop over all rows would give by these two functions, whatever
format it scans.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_CHUNK = 4096


def exact_similarities(rows: NDArray[np.float32], probe: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosines of unit vectors: products of float32 values summed in float64, rounded once to float32.

    The product of two float32 values is exact in float64. Each row is summed in the same order wherever it stands, so
    that equal rows have equal similarities.

    Args:
        rows: ``(N, D)``, C order.
        probe: ``(D,)``.

    Returns:
        float32 ``(N,)``.
    """
    out = np.empty(len(rows), np.float32)
    wide = probe.astype(np.float64)
    for start in range(0, len(rows), _CHUNK):
        out[start : start + _CHUNK] = (rows[start : start + _CHUNK].astype(np.float64) * wide).sum(axis=1)
    return out


def best_first(keys: NDArray[np.int64], similarity: NDArray[np.float32], k: int) -> NDArray[Any]:
    """The order of a search: falling similarity, equal ones by rising key; at most k places."""
    return np.lexsort((keys, -similarity))[:k]
