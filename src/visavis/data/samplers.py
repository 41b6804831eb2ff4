"""Which rows make the batch of a step: plain, balanced, and P x K; all pure functions of (seed, epoch, step)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visavis.data.block_shuffle import BlockShufflePlan
from visavis.data.philox import generator
from visavis.errors import UsageError

_PEOPLE, _PICTURES = 2, 3
_Rows = NDArray[np.int64]


class Plan(Protocol):
    """The order of one run."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches of one epoch; at least 1."""
        ...

    def places(self, step: int) -> _Rows:
        """Places in ``0..N-1`` of the rows of a step, int64 ``(B,)``."""
        ...

    def ahead(self, step: int) -> _Rows:
        """Places that will be used soon, runs of neighbours together, at the step to announce them in; else none."""
        ...


class Sampler(Protocol):
    """A way to choose batches; settings only."""

    def plan(self, labels: _Rows, *, batch: int, seed: int) -> Plan:
        """The order of a run.

        Args:
            labels: int64 ``(N,)``, class of each row, 0..C-1, each class occurring.
            batch: Rows of a batch.
            seed: Of the order.

        Raises:
            UsageError: The batch does not fit the sampler or the rows.
        """
        ...


@dataclass(frozen=True, slots=True)
class BlockShuffle:
    """Each row once an epoch, in an order that reads the disk mostly in sequence.

    The rows are cut into blocks of ``block`` neighbours. The blocks are shuffled; then ``window`` blocks at a time are
    mixed row by row. So two rows share a batch only if their blocks meet in one window; blocks come from anywhere.
    Memory holds one window (``block * window`` crops; the defaults are 32,768 crops, 1.2 GB at 112 pixels) and each
    window is read from the disk block by block. Rows that fit in one window are shuffled perfectly. The rows of an
    epoch that do not fill a batch are left out of it; they are others in each epoch.

    Attributes:
        block: Neighbouring rows that are read together.
        window: Blocks that are mixed.
    """

    block: int = 128
    window: int = 256

    def plan(self, labels: _Rows, *, batch: int, seed: int) -> Plan:
        """See `Sampler.plan`."""
        if self.block < 1 or self.window < 1:
            raise UsageError(f"block and window are at least 1; got {self.block} and {self.window}")
        return BlockShufflePlan(len(labels), batch=batch, seed=seed, block=self.block, window=self.window)


@dataclass(frozen=True, slots=True)
class Balanced:
    """Each row of a batch shows an identity drawn at random, all with one chance, and one of its pictures.

    An epoch has as many steps as `BlockShuffle` would have; identities with few pictures are seen more often than
    their share.
    """

    def plan(self, labels: _Rows, *, batch: int, seed: int) -> Plan:
        """See `Sampler.plan`."""
        return _GroupPlan(labels, people=batch, pictures=1, batch=batch, seed=seed, repeat_people=True)


@dataclass(frozen=True, slots=True)
class PeopleByPictures:
    """P different identities a batch with K pictures each (P x K), for losses of pairs and triplets.

    Hermans et al. 2017 (P x K batches). Rows lie in runs of K. The pictures of an identity that has K or more are K
    different ones. One with fewer repeats them in turn, so neighbours in a run are two pictures unless it has only one.

    Attributes:
        pictures: K; the batch must be a multiple of it, P = batch / K.
    """

    pictures: int = 4

    def plan(self, labels: _Rows, *, batch: int, seed: int) -> Plan:
        """See `Sampler.plan`."""
        if self.pictures < 1 or batch % self.pictures:
            raise UsageError(
                f"a batch of {batch} rows cannot hold {self.pictures} pictures a person; make it a multiple"
            )
        people = batch // self.pictures
        return _GroupPlan(labels, people=people, pictures=self.pictures, batch=batch, seed=seed, repeat_people=False)


class _GroupPlan:
    """Identities first, then their pictures."""

    def __init__(
        self, labels: _Rows, *, people: int, pictures: int, batch: int, seed: int, repeat_people: bool
    ) -> None:
        if batch < 1 or batch > len(labels):
            raise UsageError(f"a batch has 1 to {len(labels)} rows, as there are so many; got {batch}")
        if len(labels) and labels.min() < 0:
            raise UsageError(
                "batches by person need to know whom each crop shows; these packs have crops without a label: leave "
                "such packs out, or take the order BlockShuffle"
            )
        self._order = np.argsort(labels, kind="stable").astype(np.int64)
        self._ends = np.cumsum(np.bincount(labels)).astype(np.int64)
        self._starts = np.concatenate([[0], self._ends[:-1]])
        if not repeat_people and people > len(self._ends):
            raise UsageError(f"a batch of {people} people needs as many; there are {len(self._ends)}")
        self._people, self._pictures, self._seed, self._repeat = people, pictures, seed, repeat_people
        self._steps = len(labels) // batch

    @property
    def steps_per_epoch(self) -> int:
        return self._steps

    def places(self, step: int) -> _Rows:
        rng = generator(self._seed, _PEOPLE, step)
        count = len(self._ends)
        chosen = rng.integers(0, count, self._people) if self._repeat else rng.permutation(count)[: self._people]
        draws = generator(self._seed, _PICTURES, step)
        return np.concatenate([self._of(int(person), draws) for person in chosen])

    def ahead(self, step: int) -> _Rows:
        return np.empty(0, np.int64)

    def _of(self, person: int, rng: np.random.Generator) -> _Rows:
        mine = self._order[self._starts[person] : self._ends[person]]
        if self._pictures == 1:
            return mine[rng.integers(0, len(mine), 1)]
        return np.resize(rng.permutation(mine), self._pictures)
