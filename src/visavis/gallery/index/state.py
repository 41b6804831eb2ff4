"""State: all rows of an index at one moment. A search reads one state; a write makes the next."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from visavis.gallery.index.segment import Segment

Alive = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Part:
    """A segment and which of its rows still count.

    Attributes:
        segment: The rows.
        alive: bool ``(N,)``; None when all count.
    """

    segment: Segment
    alive: Alive | None = None

    @cached_property
    def count(self) -> int:
        """Rows that count."""
        return len(self.segment) if self.alive is None else int(self.alive.sum())

    @cached_property
    def dead(self) -> NDArray[np.int64]:
        """Rows that do not count, rising."""
        return np.empty(0, np.int64) if self.alive is None else np.flatnonzero(~self.alive).astype(np.int64)

    @cached_property
    def bits(self) -> NDArray[np.uint8] | None:
        """One bit a row that counts, the first in the lowest bit; None when all count."""
        return None if self.alive is None else np.packbits(self.alive, bitorder="little")

    @cached_property
    def left_out(self) -> NDArray[np.int64] | None:
        """int64 ``(N + 1,)``: how many rows before each one do not count; None when all count."""
        return None if self.alive is None else np.concatenate([np.zeros(1, np.int64), np.cumsum(~self.alive)])

    def places(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of those of the keys that are here and count."""
        rows = self.segment.places(keys)
        return rows if self.alive is None else rows[self.alive[rows]]

    def without(self, keys: NDArray[np.int64]) -> Part:
        """The same without some keys; itself when none of them is here."""
        rows = self.places(keys)
        if not len(rows):
            return self
        alive = np.ones(len(self.segment), np.bool_) if self.alive is None else self.alive.copy()
        alive[rows] = False
        return Part(self.segment, alive)


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """The latest rows, in memory.

    Attributes:
        keys: int64 ``(N,)``, in the order they came.
        vectors: float32 ``(N, D)``.
        alive: bool ``(N,)``: which rows count.
    """

    keys: NDArray[np.int64]
    vectors: NDArray[np.float32]
    alive: Alive

    @classmethod
    def empty(cls, dimension: int) -> Tail:
        """Without rows."""
        return cls(np.empty(0, np.int64), np.empty((0, dimension), np.float32), np.empty(0, np.bool_))

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def count(self) -> int:
        """Rows that count."""
        return int(self.alive.sum())

    def from_row(self, first: int) -> Tail:
        """The rows from one on."""
        return Tail(self.keys[first:], self.vectors[first:], self.alive[first:])


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """All rows at one moment.

    Attributes:
        tail: The latest rows.
        parts: The others.
        revision: Of the feed that they reflect; 0 where there is none.
    """

    tail: Tail
    parts: tuple[Part, ...] = field(default=())
    revision: int = 0

    @property
    def count(self) -> int:
        """Rows that count."""
        return self.tail.count + sum(part.count for part in self.parts)

    def holds(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of the keys that are here and count."""
        found = [part.segment.keys[part.places(keys)] for part in self.parts]
        return np.concatenate([*found, self.tail.keys[self.tail.alive & np.isin(self.tail.keys, keys)]])

    def without(self, keys: NDArray[np.int64]) -> State:
        """The same without some keys."""
        if not len(keys):
            return self
        gone = np.isin(self.tail.keys, keys)
        tail = replace(self.tail, alive=self.tail.alive & ~gone) if gone.any() else self.tail
        return replace(self, tail=tail, parts=tuple(part.without(keys) for part in self.parts))
