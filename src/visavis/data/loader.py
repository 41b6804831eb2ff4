"""Batches of crops from packs, in an order that is a pure function of (seed, step)."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray

from visavis.data.augmentation.augmentation import Augmentation
from visavis.data.batch import Batch
from visavis.data.pack import Pack
from visavis.data.samplers import BlockShuffle, Sampler
from visavis.errors import UsageError
from visavis.runtime.workers import ordered_map
from visavis.training.batches import rows_of_share


class PackLoader:
    """The batches of a training run; implements `visavis.training.batches.Batches`. Safe to share between threads.

    The batch of a step, its rows and its augmentation, depends on the packs, the settings, the seed and the step; not
    on where a stream began, on the threads, or on the packs' place on the disk. A pack larger than memory streams: see
    `BlockShuffle`. Several packs are joined; an identity of one pack is another person than an identity of the same
    name in another pack.

    Args:
        packs: One pack or several, of one size and template.
        batch: Rows of a batch.
        seed: Of order and augmentation.
        sampler: How batches are chosen; `BlockShuffle()` when None.
        augmentation: What is done to the crops; nothing when None.
        rows: int64, the rows that are used, over all packs one after the other; all when None. Classes are counted
            over these.
        workers: Threads that prepare batches ahead of the reader; 1: none, batches are made when they are asked for.

    Attributes:
        batch: Rows of a batch.
        identities: Name of each class: the identity, with the number of its pack where there are several. Packs whose
            identities are no persons (`PackMeta.labelled`) have none.
        rows: int64 ``(N,)``, the rows that are used, sorted.
        labels: int64 ``(N,)``, class of each of them; -1 in packs that have no classes.

    Raises:
        UsageError: No packs, packs that differ in size or template, the same pack twice, rows that are not there, or
            a batch that the sampler cannot fill.
    """

    def __init__(
        self,
        packs: Pack | Sequence[Pack],
        *,
        batch: int,
        seed: int,
        sampler: Sampler | None = None,
        augmentation: Augmentation | None = None,
        rows: NDArray[np.integer] | None = None,
        workers: int = 2,
    ) -> None:
        self.packs = (packs,) if isinstance(packs, Pack) else tuple(packs)
        kinds = {(pack.meta.size, pack.meta.template) for pack in self.packs}
        if len(kinds) != 1:
            raise UsageError(f"packs of one size and template are loaded together; got {sorted(kinds) or 'none'}")
        _check_distinct(self.packs)
        if workers < 1:
            raise UsageError(f"workers is 1 or more; got {workers}")
        self.batch, self._seed, self._workers = batch, seed, workers
        self._augmentation = augmentation
        self._ends = np.cumsum([len(pack) for pack in self.packs]).astype(np.int64)
        self._starts = self._ends - np.array([len(pack) for pack in self.packs])
        self.rows = self._checked(rows)
        self.labels, self.identities = self._classes()
        self._share = slice(0, batch)
        self._plan = (sampler or BlockShuffle()).plan(self.labels, batch=batch, seed=seed)

    @property
    def classes(self) -> int:
        """Number of identities among the rows that are used."""
        return len(self.identities)

    @property
    def size(self) -> int:
        """Side of a crop in pixels."""
        return self.packs[0].meta.size

    @property
    def steps_per_epoch(self) -> int:
        """Batches of one epoch; at least 1."""
        return self._plan.steps_per_epoch

    def batch_rows(self, step: int) -> NDArray[np.int64]:
        """The rows of a global step, int64 ``(B,)``, over all packs; those of all processes."""
        return self.rows[self._plan.places(step)]

    def names_of(self, rows: NDArray[np.int64]) -> list[str]:
        """Name in its source of each of some rows, over all packs."""
        numbers = np.searchsorted(self._ends, rows, "right")
        return [
            self.packs[number].names[int(row - self._starts[number])] for number, row in zip(numbers, rows, strict=True)
        ]

    def share(self, rank: int, size: int) -> PackLoader:
        """The same batches, of which this one gives the rows of one process; see `SharedBatches.share`."""
        part = copy.copy(self)
        part._share = rows_of_share(self.batch, rank, size)
        return part

    def load(self, step: int) -> Batch:
        """The batch of a global step, or this process's share of it."""
        places = self._plan.places(step)[self._share]
        rows = self.rows[places]
        pixels = np.empty((len(rows), self.size, self.size, 3), np.uint8)
        landmarks = np.empty((len(rows), 5, 2), np.float32)
        for start, end, pack in zip(self._starts, self._ends, self.packs, strict=True):
            if len(self.packs) == 1:
                np.take(pack.pixels, rows, axis=0, out=pixels, mode="clip")
                np.take(pack.landmarks, rows, axis=0, out=landmarks, mode="clip")
                break
            here = np.flatnonzero((rows >= start) & (rows < end))
            pixels[here] = pack.pixels[rows[here] - start]
            landmarks[here] = pack.landmarks[rows[here] - start]
        if self._augmentation is not None:
            pixels, landmarks = self._augmentation.apply(
                pixels, landmarks, seed=self._seed, step=step, first=self._share.start
            )
        return Batch(pixels, self.labels[places], rows, landmarks)

    def stream(self, start: int = 0) -> Iterator[Batch]:
        """The batches of the steps ``start``, ``start + 1``, ... without end; see `Batches.stream`."""
        yield from ordered_map(self._announced, count(start), workers=self._workers)

    def _announced(self, step: int) -> Batch:
        """`load`, after the disk was told what comes next."""
        ahead = self.rows[self._plan.ahead(step)]
        for start, end, pack in zip(self._starts, self._ends, self.packs, strict=True):
            here = ahead[(ahead >= start) & (ahead < end)] - start
            if len(here):
                for run in np.split(here, np.flatnonzero(np.diff(here) != 1) + 1):
                    pack.prefetch(int(run[0]), int(run[-1]) + 1)
        return self.load(step)

    def _checked(self, rows: NDArray[np.integer] | None) -> NDArray[np.int64]:
        if rows is None:
            return np.arange(self._ends[-1], dtype=np.int64)
        found = np.unique(np.asarray(rows, np.int64))
        if not len(found) or len(found) != np.size(rows) or found[0] < 0 or found[-1] >= self._ends[-1]:
            raise UsageError(
                f"rows are distinct numbers in 0..{self._ends[-1] - 1}, at least one; got {np.size(rows)} of them"
            )
        return found

    def _classes(self) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        counts = np.cumsum([0, *(len(pack.identities) for pack in self.packs)])
        everyone = np.concatenate(
            [
                pack.labels + before if pack.meta.labelled else np.full(len(pack), -1, np.int64)
                for pack, before in zip(self.packs, counts[:-1], strict=True)
            ]
        )[self.rows]
        known = everyone >= 0
        used, places = np.unique(everyone[known], return_inverse=True)
        labels = np.full(len(everyone), -1, np.int64)
        labels[known] = places
        names = []
        for person in used:
            number = int(np.searchsorted(counts, person, "right")) - 1
            name = self.packs[number].identities[int(person - counts[number])]
            names.append(name if len(self.packs) == 1 else f"{number}/{name}")
        return labels, tuple(names)


def _check_distinct(packs: Sequence[Pack]) -> None:
    """Refuse two packs of one content: each person would be two classes."""
    seen: dict[str, Pack] = {}
    for pack in packs:
        first = seen.get(pack.meta.fingerprint)
        if first is not None:
            raise UsageError(
                f"{first.path} and {pack.path} hold the same crops of the same people, who would be told apart from "
                "themselves; give each pack once"
            )
        seen[pack.meta.fingerprint] = pack
