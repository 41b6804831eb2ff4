"""The order of a block shuffle; see `visavis.data.samplers.BlockShuffle`."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from visavis.data.philox import generator
from visavis.errors import UsageError

_BLOCKS, _ROWS = 4, 5
_Rows = NDArray[np.int64]


class BlockShufflePlan:
    """Each of N rows at most once an epoch: blocks shuffled, then windows of blocks mixed.

    Args:
        count: N.
        batch: Rows of a step.
        seed: Of the order.
        block: Neighbouring rows of a block.
        window: Blocks of a window.

    Raises:
        UsageError: A batch of fewer than 1 or more than N rows.
    """

    def __init__(self, count: int, *, batch: int, seed: int, block: int, window: int) -> None:
        if not 1 <= batch <= count:
            raise UsageError(f"a batch has 1 to {count} rows, as there are so many; got {batch}")
        self._count, self._batch, self._seed = count, batch, seed
        self._block, self._window = block, window
        self._epoch = lru_cache(2)(self._make_epoch)
        self._mixed = lru_cache(3)(self._make_mixed)

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches of an epoch."""
        return self._count // self._batch

    def places(self, step: int) -> _Rows:
        """Places of the rows of a step, int64 ``(B,)``."""
        epoch, within = divmod(step, self.steps_per_epoch)
        start, stop = within * self._batch, (within + 1) * self._batch
        ends = self._epoch(epoch)[1]
        parts = []
        for number in range(int(np.searchsorted(ends, start, "right")), len(ends)):
            begin = int(ends[number - 1]) if number else 0
            if begin >= stop:
                break
            parts.append(self._mixed(epoch, number)[max(0, start - begin) : stop - begin])
        return np.concatenate(parts)

    def ahead(self, step: int) -> _Rows:
        """The places of the next window, where a window begins; at the start of an epoch those of its own too."""
        epoch, within = divmod(step, self.steps_per_epoch)
        ends = self._epoch(epoch)[1]
        number = int(np.searchsorted(ends, within * self._batch, "right"))
        begin = int(ends[number - 1]) if number else 0
        if within and not within * self._batch < begin + self._batch:
            return np.empty(0, np.int64)
        wanted = [number, number + 1] if within == 0 else [number + 1]
        return np.concatenate([np.empty(0, np.int64), *(self._rows(epoch, one) for one in wanted if one < len(ends))])

    def _make_epoch(self, epoch: int) -> tuple[_Rows, _Rows]:
        """The blocks in their order, and the number of rows up to the end of each window."""
        blocks = -(-self._count // self._block)
        order = generator(self._seed, _BLOCKS, epoch).permutation(blocks).astype(np.int64)
        sizes = np.minimum((order + 1) * self._block, self._count) - order * self._block
        starts = np.arange(0, blocks, self._window)
        return order, np.cumsum(np.add.reduceat(sizes, starts)).astype(np.int64)

    def _rows(self, epoch: int, number: int) -> _Rows:
        blocks = np.sort(self._epoch(epoch)[0][number * self._window : (number + 1) * self._window])
        rows = (blocks[:, None] * self._block + np.arange(self._block)).ravel()
        return rows[rows < self._count].astype(np.int64)

    def _make_mixed(self, epoch: int, number: int) -> _Rows:
        return generator(self._seed, _ROWS, epoch, number).permutation(self._rows(epoch, number))
