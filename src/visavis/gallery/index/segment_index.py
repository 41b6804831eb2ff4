"""SegmentIndex: rows that come and go, in segments and a tail; what all indexes of this room share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.gallery.changes import Changes
from visavis.gallery.index import forks
from visavis.gallery.index.merging import merged
from visavis.gallery.index.scan_codes import Scan, scan_dtype
from visavis.gallery.index.search import SearchCounts, search_state
from visavis.gallery.index.segment import Segment
from visavis.gallery.index.state import Part, State, Tail
from visavis.gallery.index.tail_room import TailRoom
from visavis.gallery.index.threads import SearchThreads
from visavis.gallery.index.vectors import ReadRows
from visavis.runtime.session import cores
from visavis.types import Candidates, Templates, TemplateSpace

_UNIT_TOLERANCE = 1e-3
_MOST = 1_000_000

Build = Callable[[NDArray[np.int64], ReadRows], Segment]
"""Makes a segment of rising keys and of a function that reads their rows."""


class SegmentIndex:
    """Rows under keys, searched while others are written; safe to share between threads.

    A search reads one immutable `State`; a write makes the next one and never waits for searches.

    Args:
        space: Of the rows; probes must be comparable with it.
        scan: Format that is scanned; the answer is the same with each.
        threads: That one search uses; all cores when None.
        graphs: Whether graphs are walked where segments have them.
    """

    def __init__(
        self, space: TemplateSpace, *, scan: Scan = "int8", threads: int | None = None, graphs: bool = False
    ) -> None:
        scan_dtype(scan)
        count = cores() if threads is None else threads
        if count < 1:
            raise UsageError(f"a search uses one thread at least; got {count}")
        self.space = space
        self.scan: Scan = scan
        self.graphs = graphs
        self._threads = SearchThreads(count)
        self._counts = SearchCounts()
        self._room = TailRoom(space.dimension)
        self._state = State(Tail.empty(space.dimension))
        self.start_anew()
        forks.watch(self)

    def start_anew(self) -> None:
        """Locks that nobody holds, in a forked process too."""
        self._writing = threading.RLock()
        self._counting = threading.Lock()
        for part in self._state.parts:
            part.segment.start_anew()

    @property
    def threads(self) -> int:
        """That one search uses."""
        return self._threads.count

    @property
    def state(self) -> State:
        """All rows at this moment."""
        return self._state

    @property
    def counts(self) -> SearchCounts:
        """What all searches so far had to do."""
        return self._counts

    def __len__(self) -> int:
        return self._state.count

    def search(self, probes: Templates, *, k: int, among: NDArray[np.int64] | None = None) -> Candidates:
        """The k most similar rows of each probe, best first, equal ones by rising key.

        Args:
            probes: One or more; failed rows find nothing.
            k: At least 1.
            among: int64: keys that may be found; all when None.

        Returns:
            int64 keys and float32 similarities ``(N, k)``; -1 and NaN where there are fewer rows.

        Raises:
            SpaceError: The probes are of a space that cannot be compared.
            UsageError: k is no whole number from 1 to 1,000,000, or ``among`` is no array of keys.
        """
        if probes.space != self.space:  # equal ones need no fingerprints
            self.space.require_comparable(probes.space)
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= _MOST:
            raise UsageError(f"a search finds a whole number of rows, 1 to {_MOST:,}; got k={k!r}")
        wanted = None if among is None else _keys(among)
        keys = np.full((len(probes), k), -1, np.int64)
        similarity = np.full((len(probes), k), np.nan, np.float32)
        good = probes.ok
        if good.any():
            found = search_state(
                self._state,
                probes.vectors[good],
                k=int(k),
                scan=self.scan,
                threads=self._threads,
                among=wanted,
                graphs=self.graphs,
            )
            keys[good], similarity[good] = found.keys, found.similarity
            with self._counting:
                self._counts += found.counts
        return Candidates(keys, similarity)

    def apply(
        self,
        keys: NDArray[np.int64],
        vectors: NDArray[np.float32],
        *,
        removed: NDArray[np.int64] | None = None,
        revision: int | None = None,
    ) -> None:
        """Set rows and remove others in one step that searches see whole.

        Args:
            keys: int64 ``(N,)``, each once; rows that are there are replaced.
            vectors: float32 ``(N, D)``, unit norm.
            removed: int64: keys to remove, where they are there.
            revision: Of the feed, after this step.

        Raises:
            UsageError: Keys twice or below 0, or vectors of another shape or length.
        """
        gone = np.empty(0, np.int64) if removed is None else _keys(removed)
        with self._writing:
            number = self._state.revision if revision is None else revision
            self._state = self._changed(self._state, Changes(_keys(keys), vectors, gone, number))

    def reached(self, revision: int) -> None:
        """Note a revision of the feed that changed no row."""
        with self._writing:
            self._state = replace(self._state, revision=revision)

    def restart(self, parts: Sequence[Part], *, revision: int, changes: Iterable[Changes]) -> None:
        """Begin anew from parts that reflect a revision, and what came after it; searches see the end of it only."""
        state = State(Tail.empty(self.space.dimension), tuple(parts), revision)
        with self._writing:
            for change in changes:
                state = self._changed(state, change)
            self._state = state

    def compact(self, build: Build, parts: Sequence[Part], *, tail: bool) -> State:
        """Put some parts, and the tail if asked, into one new segment, while searches and writes go on.

        Args:
            build: Makes the segment.
            parts: Parts of the present state.
            tail: Whether its tail goes in too.

        Returns:
            The state whose rows went in.
        """
        before = self._state
        keys, read = merged(parts, before.tail if tail else None)
        new = Part(build(keys, read)) if len(keys) else None
        self._swap(before, parts, new, tail=tail)
        return before

    def _swap(self, before: State, parts: Sequence[Part], new: Part | None, *, tail: bool) -> None:
        """Put a part in the place of others that hold the same rows; rows that went meanwhile go from it as well.

        Args:
            before: The state when the part was begun.
            parts: What it replaces.
            new: The part; None when nothing was left.
            tail: Whether it also holds the tail of ``before``.
        """
        old = {id(part.segment) for part in parts}
        with self._writing:
            now = self._state
            taken = len(before.tail) if tail else 0
            live = [
                part.segment.keys if part.alive is None else part.segment.keys[part.alive]
                for part in now.parts
                if id(part.segment) in old
            ]
            live.append(now.tail.keys[:taken][now.tail.alive[:taken]])
            kept = [part for part in now.parts if id(part.segment) not in old]
            if new is not None:
                gone = np.setdiff1d(new.segment.keys, np.concatenate(live))
                kept.append(new.without(gone))
            rest = now.tail
            if taken:
                rest = self._room.append(rest.from_row(taken), np.empty(0, np.int64), rest.vectors[:0])
            self._state = replace(now, tail=rest, parts=tuple(kept))

    def close(self) -> None:
        """End the threads."""
        self._threads.close()

    def _changed(self, state: State, change: Changes) -> State:
        rows = self._checked(change.keys, change.vectors)
        kept = state.without(np.concatenate([change.keys, change.removed]))
        return replace(kept, tail=self._room.append(kept.tail, change.keys, rows), revision=change.revision)

    def _checked(self, keys: NDArray[np.int64], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = np.ascontiguousarray(vectors, np.float32)
        if rows.shape != (len(keys), self.space.dimension):
            raise UsageError(f"rows are float32 ({len(keys)}, {self.space.dimension}), one a key; got {rows.shape}")
        if len(np.unique(keys)) != len(keys):
            raise UsageError("a key stands twice; each row has a key of its own")
        lengths = np.linalg.norm(rows, axis=1)
        if not (np.abs(lengths - 1) < _UNIT_TOLERANCE).all():
            raise UsageError("rows of an index are finite and have unit norm; leave failed ones out")
        return rows


def _keys(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    found = np.asarray(keys)
    whole = found.ndim == 1 and (not found.size or found.dtype.kind in "iu")
    if not whole or (found.size and (found.min() < 0 or found.max() > np.iinfo(np.int64).max)):
        raise UsageError(f"keys are whole numbers (N,), from 0 to 2^63 - 1; got {found.dtype} {found.shape}")
    return found.astype(np.int64)
