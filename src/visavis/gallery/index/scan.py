"""The scan: integer or half-precision products of all rows, and a proof that no row was missed.

Each block of rows gives a buffer of its best products. The k best of all buffers are scored exactly; the worst of
these similarities is a threshold. Every row of a buffer whose product plus its bound (`bounds.py`) reaches the
threshold is scored exactly as well. A row outside the buffer has a product no better than the worst in the buffer: if
that plus the largest bound of the segment stays below the threshold, the block is closed. One that is not is scanned
again, in finer blocks and then with deeper buffers, and what is still open then is passed over in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visavis.gallery.index.best import Best
from visavis.gallery.index.bounds import product_bound
from visavis.gallery.index.direct import score_directly
from visavis.gallery.index.scan_codes import ScanProbes
from visavis.gallery.index.scope import Scope
from visavis.gallery.index.similarity import exact_similarities

Run = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]
"""``map`` on threads."""

_FINE_BYTES = 6 << 20
_LEAST_ROWS = 4096
_WIDE = 96
_WIDE_K = 16
_NARROW = 16
_DEEPER = 12
_FEW_PROBES = 4
_FEW_LEFT_OUT = 32


class Block(NamedTuple):
    """Rows of one scope that are scanned in one go."""

    scope: Scope
    start: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """The buffers of the blocks of one scope: ``(N, blocks, width)`` products, -inf where there is none, and rows."""

    scope: Scope
    blocks: list[Block]
    products: NDArray[np.float32]
    rows: NDArray[np.int64]
    worst: NDArray[np.float32]


class Scanner:
    """One search over some scopes.

    Args:
        probes: What is searched for.
        bests: What each probe has found; added to.
        run: Threads.
        threads: How many.
    """

    def __init__(self, probes: ScanProbes, bests: Sequence[Best], run: Run, *, threads: int) -> None:
        self._probes = probes
        self._bests = bests
        self._run = run
        self._threads = threads
        self.rescans = 0
        self.fallbacks = 0

    def search(self, scopes: Sequence[Scope], which: Sequence[int]) -> None:
        """Find the best rows of the scopes for some probes."""
        few = len(which) <= _FEW_PROBES
        blocks = [block for scope in scopes for block in (self._coarse(scope) if few else fine_blocks(scope))]
        k = self._bests[0].k
        width = _WIDE + _WIDE_K * k if few else _NARROW + k
        for block, probes in self._round(blocks, which, width):
            finer = fine_blocks(block.scope, block.start, block.end)
            if len(finer) == 1:
                self._close(block, probes)
                continue
            self.rescans += len(probes)
            for one, still in self._round(finer, probes, _NARROW + k):
                self._close(one, still)

    def _close(self, block: Block, probes: list[int]) -> None:
        """Prove a fine block with a deeper buffer, or score it in float32."""
        self.rescans += len(probes)
        for _, still in self._round([block], probes, _DEEPER * (_NARROW + self._bests[0].k)):
            self._pass_over(block, still)

    def _coarse(self, scope: Scope) -> list[Block]:
        """One block a thread."""
        rows = len(scope.segment)
        height = max(_LEAST_ROWS, -(-rows // (8 * self._threads)) * 8)
        return [Block(scope, start, min(start + height, rows)) for start in range(0, rows, height)]

    def _round(self, blocks: Sequence[Block], which: Sequence[int], width: int) -> Iterable[tuple[Block, list[int]]]:
        """Scan blocks, score what could count, and give the blocks that are open still, with their probes."""
        codes = self._probes.codes[list(which)]
        answers = self._run(lambda block: _scanned(block, codes, width), blocks)
        found = _by_scope(blocks, answers)
        places = range(len(which))
        steps = max(1, len(which) // self._threads) if len(which) > _FEW_PROBES else len(which)
        groups = [places[start : start + steps] for start in places[::steps]]
        settled = self._run(lambda group: [self._settle(found, which[place], place) for place in group], groups)
        still: dict[tuple[int, int], list[int]] = {}
        for place, spots in enumerate(spot for group in settled for spot in group):
            for spot in spots:
                still.setdefault(spot, []).append(which[place])
        return [(found[scope].blocks[block], probes) for (scope, block), probes in still.items()]

    def _settle(self, found: Sequence[_Found], probe: int, place: int) -> list[tuple[int, int]]:
        """Score what the buffers hold for one probe; the open blocks as scope and block numbers."""
        best = self._bests[probe]
        scaled = [self._scaled(one, one.products[place].reshape(-1), probe) for one in found]
        for one, values in zip(found, scaled, strict=True):
            self._score(one, one.rows[place].reshape(-1), values, _largest(values, best.k), probe)
        for one, values in zip(found, scaled, strict=True):
            likely = np.flatnonzero(values + self._bound(one, probe, one.scope.segment.meta.worst) >= best.threshold)
            rows = one.rows[place].reshape(-1)
            errors = one.scope.segment.errors[rows[likely]]
            kept = (values[likely] > -np.inf) & np.isfinite(errors)
            likely, errors = likely[kept], errors[kept]
            reach = values[likely] + self._bound(one, probe, errors.astype(np.float64))
            self._score(one, rows, values, likely[reach >= best.threshold], probe)
        least = best.threshold
        still = []
        for number, one in enumerate(found):
            outside = self._scaled(one, one.worst[place], probe)
            reach = outside + self._bound(one, probe, one.scope.segment.meta.worst)
            still += [(number, int(block)) for block in np.flatnonzero((reach >= least) & (outside > -np.inf))]
        return still

    def _scaled(self, one: _Found, products: NDArray[np.float32], probe: int) -> NDArray[np.float64]:
        wide: NDArray[np.float64] = products.astype(np.float64)
        wide *= self._probes.units[probe] * one.scope.segment.meta.step
        return wide

    def _bound(self, one: _Found, probe: int, errors: Any) -> Any:
        segment = one.scope.segment
        return product_bound(
            self._probes.lengths[probe],
            self._probes.errors[probe],
            errors,
            longest=segment.meta.longest,
            rounding=segment.rounding,
        )

    def _score(
        self, one: _Found, rows: NDArray[np.int64], values: NDArray[np.float64], likely: NDArray[Any], probe: int
    ) -> None:
        likely = likely[values[likely] > -np.inf]
        if len(likely):
            chosen = np.sort(rows[likely])
            segment = one.scope.segment
            similarity = exact_similarities(segment.vectors.read(chosen), self._probes.vectors[probe])
            self._bests[probe].offer(segment.keys[chosen], similarity)

    def _pass_over(self, block: Block, probes: list[int]) -> None:
        """Score a block in float32."""
        self.fallbacks += len(probes)
        segment, keep = block.scope.segment, block.scope.keep
        score_directly(
            segment.keys[block.start : block.end],
            lambda start, end: segment.vectors.read(slice(block.start + start, block.start + end)),
            self._probes,
            probes,
            self._bests,
            longest=segment.meta.longest,
            keep=None if keep is None else keep[block.start : block.end],
        )


def fine_blocks(scope: Scope, start: int = 0, end: int | None = None) -> list[Block]:
    """Blocks of about 6 MiB of codes, which stay in a core's cache while several probes are compared with them."""
    codes = scope.segment.codes
    end = len(scope.segment) if end is None else end
    height = max(_LEAST_ROWS, _FINE_BYTES // (codes.shape[1] * codes.itemsize) // 8 * 8)
    return [Block(scope, low, min(low + height, end)) for low in range(start, end, height)]


def _scanned(block: Block, codes: NDArray[np.float32], width: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The best products of one block and their rows, and in the last column what no other row exceeds."""
    scope = block.scope
    rows = block.end - block.start
    out = 0 if scope.left_out is None else int(scope.left_out[block.end] - scope.left_out[block.start])
    keep = None
    if scope.bits is not None and out > _FEW_LEFT_OUT:
        keep = scope.bits[block.start // 8 : -(-block.end // 8)]
        out = 0
    taken = min(width + out, rows)
    products, found = scope.segment.view(block.start, block.end).search(codes, taken, keep=keep)
    worst = np.where((found[:, -1] >= 0) & (taken < rows), products[:, -1], -np.inf)
    products = np.where(found >= 0, products, -np.inf)
    found = np.maximum(found, 0) + block.start
    if out and scope.keep is not None:
        products[~scope.keep[found]] = -np.inf
    return np.concatenate([products, worst[:, None]], axis=1, dtype=np.float32), found


def _by_scope(
    blocks: Sequence[Block], answers: Sequence[tuple[NDArray[np.float32], NDArray[np.int64]]]
) -> list[_Found]:
    """The answers of blocks of one scope side by side; blocks of one scope follow each other."""
    found: list[_Found] = []
    starts = [
        number for number, block in enumerate(blocks) if not number or block.scope is not blocks[number - 1].scope
    ]
    for start, end in zip(starts, [*starts[1:], len(blocks)], strict=True):
        some = answers[start:end]
        found.append(
            _Found(
                blocks[start].scope,
                list(blocks[start:end]),
                np.concatenate([products[:, :-1] for products, _ in some], axis=1),
                np.concatenate([rows for _, rows in some], axis=1),
                np.stack([products[:, -1] for products, _ in some], axis=1),
            )
        )
    return found


def _largest(values: NDArray[np.float64], count: int) -> NDArray[Any]:
    """Places of the largest values, in any order."""
    if len(values) <= count:
        return np.arange(len(values))
    return np.argpartition(values, len(values) - count)[-count:]
