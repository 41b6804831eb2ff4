"""Exact thresholds from hundreds of millions of similarities, in bounded memory.

A threshold at a low FMR is an order statistic. It is found by radix selection: the 32 bits of a
float32 map to an unsigned key of the same order; one pass counts the upper 16 bits, a second pass counts
the lower 16 bits of only those bins in which a wanted rank lies. Nothing is sampled or rounded.

Scores come from a *re-iterable*: a callable that starts the same stream of float32 blocks anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError
from visavis.metrics import _arrays

Blocks = Callable[[], Iterable[NDArray[np.float32]]]

_HALF = 1 << 16
_BINS_A_PASS = 256  # 256 histograms of 65,536 int64 counts: 128 MiB


@dataclass(frozen=True, slots=True, eq=False)
class _Coarse:
    """What the first pass saw: counts int64 ``(65536,)`` by upper half, and the number of NaN scores."""

    counts: NDArray[np.int64]
    failed: int

    @property
    def valid(self) -> int:
        return int(self.counts.sum())


def exact_quantiles(blocks: Blocks, ranks: Sequence[int]) -> NDArray[np.float32]:
    """The scores at the given ranks of the sorted stream, exactly.

    Two passes over the stream, and one more for every further 256 bins that the ranks fall into; memory
    does not grow with the number of scores.

    Args:
        blocks: Starts the stream anew; each block is float32 ``(B,)``, finite or NaN for a failure.
        ranks: Places ``(R,)`` in ascending order among the scores that are not NaN; 0 is the smallest.

    Returns:
        float32 ``(R,)``.

    Raises:
        UsageError: A rank outside the stream, a block of another shape or dtype, infinite scores, or a
            stream that changed between the passes.

    Example:
        >>> stream = lambda: [np.array([0.5, -0.25], dtype=np.float32), np.array([0.75], dtype=np.float32)]
        >>> exact_quantiles(stream, [0, 2]).tolist()
        [-0.25, 0.75]
    """
    return _select(blocks, _coarse(blocks), ranks)


def streaming_threshold_at_fmr(blocks: Blocks, fmr: float) -> float:
    """`visavis.metrics.threshold_at_fmr` of the whole stream, equal to the last bit.

    Args:
        blocks: Starts the stream of non-mated similarities anew, see `exact_quantiles`. NaN is a failed
            acquisition: rejected at every threshold, and counted in the denominator.
        fmr: Target in 0..1.

    Returns:
        The threshold; ``-inf`` when accepting every pair meets the target.

    Raises:
        UsageError: A target outside 0..1, an empty stream, or what `exact_quantiles` refuses.

    Example:
        >>> streaming_threshold_at_fmr(lambda: [np.array([0.25, 0.5, 0.75, 1.0], dtype=np.float32)], 0.25) > 0.75
        True
    """
    target = _arrays.rate(fmr, "fmr")
    coarse = _coarse(blocks)
    valid = coarse.valid
    if valid + coarse.failed == 0:
        raise UsageError("the stream holds no scores; a threshold needs at least one non-mated pair")
    count = _arrays.allowed(target, valid + coarse.failed)
    if count >= valid:
        return -math.inf
    return _arrays.just_above(_select(blocks, coarse, [valid - 1 - count])[0])


def nonmated_blocks(vectors: NDArray[np.float32], people: ArrayLike, *, block_rows: int = 1024) -> Blocks:
    """A re-iterable of the similarities of all unordered pairs of two different people.

    The upper triangle of ``vectors @ vectors.T`` is computed in square tiles, so the memory is that of
    some tiles whatever N is. Every pass gives the same bits, in the same order.

    Args:
        vectors: float32 ``(N, D)``, unit norm; a row with NaN is a failed face and gives NaN similarities.
        people: Identity of each row ``(N,)``, integers or text.
        block_rows: Side of a tile; a block has at most its square of scores.

    Returns:
        A callable; each call starts an iterator over float32 ``(B,)`` blocks, B >= 1. The vectors are
        not copied: do not change them between the passes.

    Raises:
        UsageError: Another dtype or shape, rows that are not of unit norm, or block_rows below 1.

    Example:
        >>> rows = np.eye(3, dtype=np.float32)
        >>> [block.tolist() for block in nonmated_blocks(rows, ["ann", "ann", "bob"])()]
        [[0.0, 0.0]]
    """
    if not isinstance(vectors, np.ndarray) or vectors.dtype != np.float32 or vectors.ndim != 2:
        raise UsageError("vectors must be a float32 array (N, D)")
    if block_rows < 1:
        raise UsageError(f"block_rows must be at least 1; got {block_rows}")
    codes, _, _ = _arrays.people(people, people)
    if len(codes) != len(vectors):
        raise UsageError(f"people must name one person a vector: {len(vectors)} vectors; got {len(codes)} people")
    norms = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    if (np.abs(norms - 1.0) > 1e-3).any():
        raise UsageError("vectors must have unit norm, or NaN for a failed face; divide each row by its norm")

    def passes() -> Iterator[NDArray[np.float32]]:
        for top in range(0, len(codes), block_rows):
            for left in range(top, len(codes), block_rows):
                block = _tile(vectors, codes, slice(top, top + block_rows), slice(left, left + block_rows))
                if block.size:
                    yield block

    return passes


def _tile(vectors: NDArray[np.float32], codes: NDArray[np.intp], rows: slice, columns: slice) -> NDArray[np.float32]:
    """The non-mated similarities of one tile; above the diagonal only, where the tile lies on it."""
    with np.errstate(invalid="ignore"):
        similarities = vectors[rows] @ vectors[columns].T
    wanted = codes[rows, None] != codes[None, columns]
    if rows == columns:
        wanted = np.triu(wanted, 1)
    flat: NDArray[np.float32] = similarities.ravel() if wanted.all() else similarities[wanted]
    return flat


def _keys(block: NDArray[np.float32]) -> NDArray[np.uint32]:
    """The scores that are not NaN as uint32 keys of the same order, 0.0 and -0.0 alike."""
    if not isinstance(block, np.ndarray) or block.dtype != np.float32 or block.ndim != 1:
        raise UsageError("a block of scores must be a one-dimensional float32 array")
    failed = np.isnan(block)
    valid = block[~failed] if failed.any() else block
    # Adding 0.0 turns -0.0 into 0.0. Negative numbers flip all bits, the others only the sign bit.
    bits = (valid + np.float32(0.0)).view(np.uint32)
    flip = (bits.view(np.int32) >> 31).view(np.uint32) | np.uint32(0x80000000)
    return bits ^ flip


def _coarse(blocks: Blocks) -> _Coarse:
    counts = np.zeros(_HALF, dtype=np.int64)
    scores = 0
    infinite = _keys(np.array([-np.inf, np.inf], dtype=np.float32))
    for block in blocks():
        keys = _keys(block)
        if keys.size and (keys.min() <= infinite[0] or keys.max() >= infinite[1]):
            raise UsageError("scores must be finite, or NaN for a failed acquisition; got infinite values")
        counts += np.bincount((keys >> 16).astype(np.intp), minlength=_HALF)
        scores += len(block)
    return _Coarse(counts, scores - int(counts.sum()))


def _select(blocks: Blocks, coarse: _Coarse, ranks: Sequence[int]) -> NDArray[np.float32]:
    wanted = np.asarray(ranks, dtype=np.int64)
    if wanted.ndim != 1 or (wanted < 0).any() or (wanted >= coarse.valid).any():
        raise UsageError(f"ranks must lie in 0..{coarse.valid - 1}, the scores that did not fail; got {ranks}")
    ends = np.cumsum(coarse.counts)
    bins = np.searchsorted(ends, wanted, side="right")
    inside = wanted - (ends - coarse.counts)[bins]
    keys = np.zeros(len(wanted), dtype=np.uint32)
    needed = np.unique(bins)
    for start in range(0, len(needed), _BINS_A_PASS):
        group = needed[start : start + _BINS_A_PASS]
        fine = np.cumsum(_fine(blocks, group), axis=1)
        if not np.array_equal(fine[:, -1], coarse.counts[group]):
            raise UsageError("the stream gave other scores on the second pass; it must repeat itself exactly")
        for slot, upper in enumerate(group):
            here = bins == upper
            lower = np.searchsorted(fine[slot], inside[here], side="right")
            keys[here] = (np.uint32(upper) << np.uint32(16)) | lower.astype(np.uint32)
    flip = np.where(keys >> 31, np.uint32(0x80000000), np.uint32(0xFFFFFFFF))
    return (keys ^ flip).view(np.float32)


def _fine(blocks: Blocks, bins: NDArray[np.intp]) -> NDArray[np.int64]:
    """Counts int64 ``(len(bins), 65536)`` by lower half of the keys whose upper half is one of the bins."""
    counts = np.zeros(len(bins) * _HALF, dtype=np.int64)
    slot = np.full(_HALF, -1, dtype=np.int32)
    slot[bins] = np.arange(len(bins), dtype=np.int32)
    low, high = int(bins[0]) << 16, (int(bins[-1]) << 16) | 0xFFFF
    for block in blocks():
        keys = _keys(block)
        keys = keys[(keys >= low) & (keys <= high)]
        slots = slot[keys >> 16]
        found = slots >= 0
        places = slots[found].astype(np.intp) * _HALF + (keys[found] & np.uint32(0xFFFF))
        np.add.at(counts, places, 1)
    return counts.reshape(len(bins), _HALF)
