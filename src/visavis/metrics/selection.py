"""Exact order statistics of more scores than fit in memory: radix selection in two passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError

Blocks = Callable[[], Iterable[NDArray[np.float32]]]
"""A source that can be read again and again: each call returns a fresh pass over the same float32 blocks."""

BINS = 1 << 16


def score_keys(scores: NDArray[np.float32]) -> NDArray[np.uint32]:
    """uint32 keys in the order of the scores: ``a < b`` exactly when ``key(a) < key(b)``; no NaN.

    The bits of an IEEE float order like an integer once the sign bit is flipped, and all bits of
    negative numbers. The two zeros are equal and share a key.
    """
    bits = (scores + np.float32(0.0)).view(np.uint32)
    flip = (bits.view(np.int32) >> 31).view(np.uint32) | np.uint32(0x80000000)
    return np.bitwise_xor(bits, flip)


def key_scores(keys: NDArray[np.uint32]) -> NDArray[np.float32]:
    """The scores of keys: the inverse of `score_keys`."""
    negative = (keys >> np.uint32(31)) == 0
    return np.where(negative, ~keys, keys & np.uint32(0x7FFFFFFF)).astype(np.uint32).view(np.float32)


def block_scores(block: Any) -> tuple[NDArray[np.float32], int]:
    """The valid scores of one block as a flat float32 array, and how many were NaN.

    Raises:
        UsageError: Not float32 (rounding would not be exact), or infinite scores.
    """
    array = np.asarray(block)
    if array.dtype != np.float32:
        raise UsageError(f"streamed scores must be float32, so that selection is exact; got {array.dtype}")
    flat = np.ascontiguousarray(array).reshape(-1)
    if np.isfinite(flat).all():
        return flat, 0
    if np.isinf(flat).any():
        raise UsageError("streamed scores must be finite, or NaN for a failed acquisition; got infinite values")
    valid = flat[~np.isnan(flat)]
    return valid, len(flat) - len(valid)


def high_counts(blocks: Blocks) -> tuple[NDArray[np.int64], int]:
    """One pass: the number of scores by the upper 16 bits of their key ``(65536,)``, and the number of NaN.

    Raises:
        UsageError: Blocks that are not float32 or hold infinite scores.
    """
    counts, failed = np.zeros(BINS, dtype=np.int64), 0
    for block in blocks():
        scores, nans = block_scores(block)
        counts += np.bincount(score_keys(scores) >> np.uint32(16), minlength=BINS)
        failed += nans
    return counts, failed


def exact_quantile(
    blocks: Blocks, ranks: Sequence[int] | NDArray[np.int64], *, counts: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """The scores at the given places of the sorted stream, equal to ``np.sort(scores)[ranks]``.

    First pass: counts by the upper 16 bits of an order-keeping key of float32; these say in which bin
    each rank lies. Second pass: counts by the lower 16 bits, of those bins only. Memory is 0.5 MB plus
    0.5 MB for each bin asked for, whatever the length of the stream.

    Args:
        blocks: Re-readable source of float32 blocks of any shape; NaN is left out.
        ranks: Places 0..n-1 in ascending order of the n valid scores; any order, repeats allowed.
        counts: First-pass counts of the same stream from `high_counts` or `ScoreAccumulator`, to save
            the first pass.

    Returns:
        float32 ``(len(ranks),)``.

    Raises:
        UsageError: A rank out of range, blocks that are not float32, or a source that gave other
            scores on the second pass.

    Example:
        >>> scores = np.array([0.4, 0.1, 0.3, 0.2], dtype=np.float32)
        >>> exact_quantile(lambda: [scores[:2], scores[2:]], [0, 3]).tolist() == [scores[1], scores[0]]
        True
    """
    if counts is None:
        counts, _ = high_counts(blocks)
    wanted = np.asarray(ranks, dtype=np.int64).reshape(-1)
    total = int(counts.sum())
    if wanted.size == 0 or wanted.min() < 0 or wanted.max() >= total:
        raise UsageError(f"ranks must lie in 0..{total - 1}, the places of the {total} valid scores; got {ranks}")
    ends = np.cumsum(counts)
    bins = np.searchsorted(ends, wanted, side="right")
    needed = np.unique(bins)
    low = _low_counts(blocks, needed)
    if not np.array_equal(low.sum(axis=1), counts[needed]):
        raise UsageError(
            "the score source gave other scores on its second pass; pass a function that starts over at each call"
        )
    rows = np.searchsorted(needed, bins)
    within = wanted - (ends[bins] - counts[bins])
    places = np.array(
        [np.searchsorted(np.cumsum(low[row]), rank, side="right") for row, rank in zip(rows, within, strict=True)],
        dtype=np.uint32,
    )
    return key_scores((bins.astype(np.uint32) << np.uint32(16)) | places)


def _low_counts(blocks: Blocks, bins: NDArray[np.intp]) -> NDArray[np.int64]:
    """Counts by the lower 16 bits of the keys of the given upper bins, ``(len(bins), 65536)``."""
    row_of = np.full(BINS, -1, dtype=np.int32)
    row_of[bins] = np.arange(len(bins), dtype=np.int32)
    first, last = np.uint32(bins[0]) << np.uint32(16), (np.uint32(bins[-1]) << np.uint32(16)) | np.uint32(0xFFFF)
    low = np.zeros((len(bins), BINS), dtype=np.int64)
    for block in blocks():
        keys = score_keys(block_scores(block)[0])
        keys = keys[(keys >= first) & (keys <= last)]
        rows = row_of[keys >> np.uint32(16)]
        keys, rows = keys[rows >= 0], rows[rows >= 0]
        cells, numbers = np.unique(rows.astype(np.int64) * BINS + (keys & np.uint32(0xFFFF)), return_counts=True)
        low.reshape(-1)[cells] += numbers
    return low
