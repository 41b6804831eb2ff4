"""The float32 reference of a search: a matrix product of everything, with a margin for its rounding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROWS = 8192
_PROBES = 2500
_PAIRS = 1 << 14


def reference_search(
    vectors: NDArray[np.float32], probes: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The k best rows of each probe by products of all pairs, independent of the index.

    Products are made in float32, block by block. A pair is kept when its product reaches the k-th best similarity so
    far less a margin of D 2^-23, about twice what a float32 sum of D products of unit vectors may be off. Similarities
    of kept pairs are float64 sums rounded to float32; equal ones are ordered by row.

    Args:
        vectors: float32 ``(N, D)``, unit norm.
        probes: float32 ``(M, D)``, unit norm.
        k: At most N.

    Returns:
        int64 rows and float32 similarities ``(M, k)``.
    """
    found = [_some(vectors, probes[start : start + _PROBES], k) for start in range(0, len(probes), _PROBES)]
    return np.concatenate([rows for rows, _ in found]), np.concatenate([values for _, values in found])


def _some(
    vectors: NDArray[np.float32], probes: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    margin = np.float32(vectors.shape[1] * 2.0**-23)
    least = np.full(len(probes), -2, np.float32)
    owner, rows, values = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    when = 1
    for number, start in enumerate(range(0, len(vectors), _ROWS), 1):
        block = vectors[start : start + _ROWS]
        products = probes @ block.T
        if start == 0 and len(block) > k:
            least = np.partition(products, len(block) - k, axis=1)[:, len(block) - k] - margin
        here, there = np.nonzero(products >= (least - margin)[:, None])
        owner, rows = np.concatenate([owner, here]), np.concatenate([rows, there + start])
        values = np.concatenate([values, _similarities(block, probes, there, here)])
        if number == when or start + _ROWS >= len(vectors):
            when *= 2
            owner, rows, values = _first(owner, rows, values, k)
            full = np.bincount(owner, minlength=len(probes)) == k
            last = np.cumsum(np.bincount(owner, minlength=len(probes))) - 1
            least[full] = values[last[full]]
    return rows.reshape(len(probes), k), values.reshape(len(probes), k)


def _similarities(
    block: NDArray[np.float32], probes: NDArray[np.float32], rows: NDArray[np.int64], owner: NDArray[np.int64]
) -> NDArray[np.float32]:
    out = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _PAIRS):
        some = slice(start, start + _PAIRS)
        out[some] = (block[rows[some]].astype(np.float64) * probes[owner[some]].astype(np.float64)).sum(axis=1)
    return out


def _first(
    owner: NDArray[np.int64], rows: NDArray[np.int64], values: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """The k best pairs of each probe, probe by probe, best first."""
    order = np.lexsort((rows, -values, owner))
    owner, rows, values = owner[order], rows[order], values[order]
    starts = np.searchsorted(owner, owner, side="left")
    kept = np.arange(len(owner)) - starts < k
    return owner[kept], rows[kept], values[kept]
