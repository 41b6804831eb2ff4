"""LiveIndex: the nearest people of a gallery, whoever writes it."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError, UsageError
from visavis.gallery.index import forks
from visavis.gallery.index.feed import Feed
from visavis.gallery.index.folder import IndexFolder
from visavis.gallery.index.keeper import Keeper
from visavis.gallery.index.scan_codes import Scan
from visavis.gallery.index.search import SearchCounts
from visavis.gallery.index.segment_index import SegmentIndex
from visavis.gallery.index.state import Part
from visavis.gallery.index.upkeep import Kind, check_kind, walks
from visavis.types import Candidates, Templates

_log = logging.getLogger("visavis")

_BUSY_SECONDS = 1.0
_TROUBLE_SECONDS = 60.0
_PATIENT = 2

CATCH_UP = 131_072
"""Rows that are taken in before they are made a segment, while an index is made from nothing."""


class LiveIndex:
    """Search of a feed, with files that are derived from it and kept up to date beside it.

    A search first takes in what was committed since the last one, by any process. The latest rows are in memory; some
    thousand of them are made a segment on a thread of its own, in mapped files that other processes and later runs
    open without reading them. Files that do not fit the feed are made again. Safe to share between threads.

    Everybody is found who is in the gallery: that somebody expired or withdrew consent is a matter of the clock and
    changes no row until `visavis.gallery.gallery.Gallery.purge`. Search ``among=gallery.keys()`` to leave them out.

    Args:
        feed: The gallery.
        folder: Of the files; ``FILE.index`` beside the gallery when None, memory alone when it has no file.
        kind: ``exact`` scans all rows, ``hnsw`` walks graphs and may miss some, ``auto`` is exact until a scan would
            take about 50 ms.
        scan: ``int8``, ``float16`` or ``float32``: what is scanned; exact answers are the same with each.
        threads: That one search uses; all cores when None.

    Raises:
        UsageError: Another word for ``kind`` or ``scan``, or no threads.
    """

    def __init__(
        self,
        feed: Feed,
        *,
        folder: Path | None = None,
        kind: Kind = "auto",
        scan: Scan = "int8",
        threads: int | None = None,
    ) -> None:
        check_kind(kind)
        info = feed.info
        self._feed = feed
        self._kind: Kind = kind
        self._rows = SegmentIndex(info.space, scan=scan, threads=threads)
        place = feed.path.with_name(f"{feed.path.name}.index") if folder is None and feed.path is not None else folder
        self._folder = None if place is None else IndexFolder(Path(place) / scan)
        self._keeper = Keeper(self._rows, self._folder, uuid=info.uuid, kind=kind)
        self._not_before = 0.0
        self.start_anew()
        forks.watch(self)
        self._keeper.open(feed)
        self.refresh()

    def start_anew(self) -> None:
        """Locks that nobody holds and no threads, in a forked process too."""
        self._refreshing = threading.RLock()
        self._worker: ThreadPoolExecutor | None = None
        self._pending: Future[None] | None = None
        self._keeper.start_anew()

    @property
    def exact(self) -> bool:
        """Whether answers are those of a scan of all rows."""
        return not self._rows.graphs

    @property
    def counts(self) -> SearchCounts:
        """What all searches so far had to do."""
        return self._rows.counts

    @property
    def parts(self) -> tuple[Part, ...]:
        """The segments that are scanned or walked; the latest rows are in none of them."""
        return self._rows.state.parts

    @property
    def revision(self) -> int:
        """Of the feed, as far as it was taken in."""
        return self._rows.state.revision

    def __len__(self) -> int:
        return len(self._rows)

    def __enter__(self) -> LiveIndex:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def search(self, probes: Templates, *, k: int, among: NDArray[np.int64] | None = None) -> Candidates:
        """The k most similar people of each probe, best first, equal ones by rising key.

        Args:
            probes: One or more; failed rows find nobody.
            k: At least 1.
            among: int64: keys of people who may be found; all when None.

        Returns:
            int64 keys and float32 similarities ``(N, k)``; -1 and NaN where there are fewer people.

        Raises:
            SpaceError: The probes are of a space that cannot be compared.
            UsageError: k is no whole number from 1 to 1,000,000, or ``among`` is no array of keys.
        """
        turn = 0
        while True:
            stamp = self._keeper.stamp()
            with self._keeper.held() if turn >= _PATIENT else nullcontext():
                self.refresh()
                revision = self.revision
                found = self._rows.search(probes, k=k, among=among)
            if self._keeper.stamp() == stamp or self._feed.revision == revision:
                return found  # else rows that counted may have been wiped under the search
            turn += 1

    def refresh(self) -> None:
        """Take in what was committed, by any process."""
        with self._refreshing:
            self._follow()
            if self._keeper.due():
                self._keep_up_later()

    def keep_up(self) -> None:
        """Do what is due at once, rather than on a thread of its own: all rows become segments, with graphs if wanted.

        Raises:
            InputError: ``gallery.locked``: another process is doing so.
            UsageError: The folder cannot be written, or the disk is full.
        """
        pending = self._pending
        if pending is not None:
            pending.result()
        self._keeper.hurried.clear()
        for _ in range(2):
            with self._refreshing:
                self._follow()
            self._keeper.work(least=1)
            if not self._keeper.overtaken:
                break

    def close(self) -> None:
        """Finish what is being written, except for graphs, and end the threads."""
        self._keeper.hurried.set()
        with self._refreshing:
            worker, self._worker = self._worker, None
            pending, self._pending = self._pending, None
        if worker is not None:
            worker.shutdown(wait=True)
        self._rows.close()
        if pending is not None:
            pending.result()  # a defect on that thread is not lost

    def _follow(self) -> None:
        target = self._feed.revision
        if target != self.revision or self._keeper.overtaken:
            self._take_in(target)
        self._rows.graphs = walks(self._kind, self._rows.state)

    def _take_in(self, target: int) -> None:
        if not self._keeper.open(self._feed) and self._put_back(target):
            self._keeper.restart()
        self._keeper.write = self._feed.last_write()
        for change in self._feed.changes(self.revision):
            self._rows.apply(change.keys, change.vectors, removed=change.removed, revision=change.revision)
            if len(self._rows.state.tail) >= CATCH_UP:
                self._catch_up()
        self._keeper.write = self._feed.last_write()  # at the revision that was reached, or later
        if self.revision < target:
            self._rows.reached(target)

    def _put_back(self, target: int) -> bool:
        """Whether an older copy of the gallery was put in its place."""
        return target < self.revision or not (self.revision == 0 or self._feed.has_write(self._keeper.write))

    def _catch_up(self) -> None:
        """A segment of what was taken in: in memory where there is, for a while, no writing of files."""
        if time.monotonic() >= self._not_before:
            self._keep_up(link=False)  # what is merged soon needs no graph
        self._keeper.in_memory(least=CATCH_UP)

    def _keep_up_later(self) -> None:
        if (self._pending is None or self._pending.done()) and time.monotonic() >= self._not_before:
            if self._worker is None:
                self._keeper.hurried.clear()
                self._worker = ThreadPoolExecutor(1, "visavis-index")
            self._pending = self._worker.submit(self._keep_up)

    def _keep_up(self, *, link: bool = True) -> None:
        """What is due; a folder that cannot be written costs time, never an answer."""
        try:
            self._keeper.work(link=link)
        except InputError:
            self._not_before = time.monotonic() + _BUSY_SECONDS
        except UsageError as error:
            self._not_before = time.monotonic() + _TROUBLE_SECONDS
            _log.warning("the files of the index cannot be kept up; searches go on in memory: %s", error)
            self._keeper.in_memory()
