"""Similarities of all non-mated pairs of a gallery, block by block."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError
from visavis.metrics.selection import Blocks


def nonmated_blocks(vectors: ArrayLike, people: ArrayLike, *, block: int = 2048) -> Blocks:
    """A re-readable source of the similarities of all pairs of samples of two people.

    Each unordered pair comes once, in no stated order; pairs of one person never. The rows are ordered
    by person, so that only tiles on the diagonal need a mask. Memory is three tiles of ``block`` x
    ``block`` float32 (48 MB at 2,048) beside the vectors, whatever their number.

    Args:
        vectors: float32 ``(N, D)``, unit norm, so that products are cosines; a row with NaN is a failed
            sample, whose pairs come as NaN and count as rejected.
        people: Person label of each row ``(N,)``.
        block: Rows a tile.

    Returns:
        A function; each call starts a new pass over the same one-dimensional float32 blocks. A product
        may differ in the last bit from the one of another tile size.

    Raises:
        UsageError: Shapes that do not fit, or fewer than two people.

    Example:
        >>> source = nonmated_blocks(np.eye(3, dtype=np.float32), ["a", "a", "b"])
        >>> [part.tolist() for part in source()]
        [[0.0, 0.0]]
    """
    matrix = np.asarray(vectors, dtype=np.float32)
    labels = np.asarray(people)
    if matrix.ndim != 2 or labels.shape != (len(matrix),):
        raise UsageError(f"vectors must be (N, D) and people (N,); got {matrix.shape} and {labels.shape}")
    if block < 1:
        raise UsageError(f"block must be at least 1 row; got {block}")
    known, codes = np.unique(labels, return_inverse=True)
    if len(known) < 2:
        raise UsageError(f"non-mated pairs need at least two people; got {len(known)}")
    order = np.argsort(codes, kind="stable")
    matrix, codes = np.ascontiguousarray(matrix[order]), codes[order]

    def source() -> Iterator[NDArray[np.float32]]:
        for top in range(0, len(matrix), block):
            for left in range(top, len(matrix), block):
                part = _tile(matrix, codes, slice(top, top + block), slice(left, left + block))
                if part.size:
                    yield part

    return source


def nonmated_count(people: ArrayLike) -> int:
    """The number of unordered pairs of samples of two people: what `nonmated_blocks` yields in all."""
    _, sizes = np.unique(np.asarray(people), return_counts=True)
    total = int(sizes.sum())
    return (total * total - int((sizes.astype(np.int64) ** 2).sum())) // 2


def _tile(matrix: NDArray[np.float32], codes: NDArray[np.intp], rows: slice, columns: slice) -> NDArray[np.float32]:
    """The non-mated similarities of one tile on or above the diagonal; codes ascend."""
    products: NDArray[np.float32] = matrix[rows] @ matrix[columns].T
    if codes[rows][-1] < codes[columns][0]:
        return products.reshape(-1)
    different = codes[rows][:, None] < codes[columns][None, :]
    return products[different]
