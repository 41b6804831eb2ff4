"""Keeper: segments, merges, graphs and files of an index, made beside its searches."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError, UsageError
from visavis.gallery.index.feed import Feed
from visavis.gallery.index.folder import IndexFolder
from visavis.gallery.index.graph import build_graph
from visavis.gallery.index.manifest import Manifest, SegmentEntry
from visavis.gallery.index.segment import Allocate, Segment, build_segment
from visavis.gallery.index.segment_index import Build, SegmentIndex
from visavis.gallery.index.state import Part
from visavis.gallery.index.upkeep import FULL_TAIL, Kind, parts_to_link, parts_to_merge, walks
from visavis.gallery.index.vectors import ReadRows
from visavis.io.atomic import disk_errors

_log = logging.getLogger("visavis")
_TRIES = 5
_NEVER = (-1, -1, -1)


class Keeper:
    """What is done for an index beside its searches, by one thread at a time.

    Args:
        rows: The index.
        folder: Its files; None for memory alone.
        uuid: Of the gallery.
        kind: Whether graphs are made.

    Attributes:
        write: Of the feed: the last one when its changes were last taken in.
        overtaken: Whether another process has replaced the files.
        hurried: Set to give up a graph that is being made.
    """

    def __init__(self, rows: SegmentIndex, folder: IndexFolder | None, *, uuid: str, kind: Kind) -> None:
        self._rows = rows
        self._folder = folder
        self._uuid = uuid
        self._kind: Kind = kind
        self._seen: tuple[int, int, int] | None = _NEVER
        self._reflects = 0
        self._wiped: dict[str, NDArray[np.int64]] = {}
        self._untidy = False
        self.write = ""
        self.overtaken = False
        self.start_anew()

    def start_anew(self) -> None:
        """Locks that nobody holds, in a forked process too."""
        self._working = threading.RLock()
        self.hurried = threading.Event()

    def stamp(self) -> tuple[int, int, int] | None:
        """Of the files: differs when rows were wiped, since a manifest that leaves them out is written before."""
        return None if self._folder is None else self._folder.stamp()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others from wiping for as long as the block lasts, where that can be had at once."""
        with ExitStack() as stack:
            if self._folder is not None and self._folder.path.is_dir():
                with suppress(InputError, UsageError):
                    stack.enter_context(self._folder.writing())
            yield

    def open(self, feed: Feed) -> bool:
        """Take the files of another process, or of an earlier run, when they are other ones than before.

        Args:
            feed: The gallery.

        Returns:
            Whether they were taken: there are some, they belong to the gallery and nothing is wrong with them.
        """
        if self._folder is None or self._folder.stamp() == self._seen or not self._working.acquire(blocking=False):
            return False
        try:
            stamp = self._folder.stamp()
            taken = self._take(self._folder, feed)
            if not taken:
                self._seen = stamp
            self.overtaken = False
            self._untidy = self._folder.strays(self._names()) or not (taken or stamp is None)
            return taken
        finally:
            self._working.release()

    def restart(self) -> None:
        """Begin anew without rows; the files are replaced with the next segment."""
        with self._working:
            self._reflects, self._wiped, self._untidy = 0, {}, True
            self._rows.restart((), revision=0, changes=())

    def due(self) -> bool:
        """Whether there is something to do."""
        state = self._rows.state
        return bool(
            len(state.tail) >= FULL_TAIL
            or parts_to_merge(state.parts)
            or parts_to_link(self._kind, state)
            or (self._folder is not None and (self._untidy or any(len(self._unwiped(part)) for part in state.parts)))
        )

    def in_memory(self, *, least: int | None = None) -> None:
        """Make segments in memory of what is due, where files cannot be written; the next ones take these in."""
        with self._working:
            self._tidy(FULL_TAIL if least is None else least, self._build_in_memory, lost=False)

    def work(self, *, least: int | None = None, link: bool = True) -> None:
        """Do what is due.

        Args:
            least: Rows of a tail that become a segment; as many as fill one when None.
            link: Whether graphs are made.

        Raises:
            InputError: ``gallery.locked``: another process is writing the files.
            UsageError: The folder cannot be written, or the disk is full.
        """
        least = FULL_TAIL if least is None else least
        with self._working:
            if self._folder is None:
                self.in_memory(least=least)
                self._link(link)
                return
            with self._folder.writing(), disk_errors(self._folder.path):
                if self._folder.stamp() != self._seen:
                    self.overtaken = True  # taken up at the next refresh
                    return
                self._tidy(least, self._build, lost=True)
                dead = {part.segment.name: part.dead for part in self._rows.state.parts if len(self._unwiped(part))}
                if dead or self._untidy:
                    self._write(self._folder, wiped=not dead)
                if dead:
                    self._wipe(self._folder, dead)
                    self._write(self._folder, wiped=True)
                self._link(link)

    def _take(self, folder: IndexFolder, feed: Feed) -> bool:
        for _ in range(_TRIES):
            stamp = folder.stamp()
            try:
                manifest = folder.manifest()
                if manifest is None:
                    return False
                self._check(manifest, feed)
                parts = folder.parts(manifest, self._rows.state.parts)
            except ValueError as error:
                if folder.stamp() != stamp:
                    continue  # segments were merged away between reading the manifest and opening them
                _log.info("the files in %s are made again: %s", folder.path, error)
                return False
            self._rows.restart(parts, revision=manifest.revision, changes=feed.changes(manifest.revision))
            self.write = feed.last_write()
            self._seen, self._reflects = stamp, manifest.revision
            self._wiped = {entry.name: entry.dead for entry in manifest.segments if manifest.wiped}
            if walks(self._kind, self._rows.state):
                for part in parts_to_link(self._kind, self._rows.state):
                    folder.load_graph(part.segment)
            return True
        return False

    def _check(self, manifest: Manifest, feed: Feed) -> None:
        newest = feed.revision  # asked after the manifest was read, so it is no older
        if manifest.uuid != self._uuid:
            raise ValueError(f"they belong to the gallery {manifest.uuid}, not {self._uuid}")
        if manifest.space != self._rows.space.fingerprint:
            raise ValueError(f"they are of the space {manifest.space}, not {self._rows.space.fingerprint}")
        if manifest.known > newest:
            raise ValueError(f"they reflect revision {manifest.known} of a gallery that is at {newest}")
        if not feed.has_write(manifest.write):
            raise ValueError("they reflect writes that are not in the gallery: an older copy was put back")
        for entry in manifest.segments:
            if (entry.meta.scan, entry.meta.dimension) != (self._rows.scan, self._rows.space.dimension):
                raise ValueError(f"{entry.name} is {entry.meta.scan} x {entry.meta.dimension}")

    def _tidy(self, least: int, build: Build, *, lost: bool) -> None:
        """Make segments of what is due; the manifest must tell of them."""
        if len(self._rows.state.tail) >= max(least, 1):
            self._reflects = self._rows.compact(build, (), tail=True).revision
            self._untidy = True
        while parts := (self._lost() if lost else []) or parts_to_merge(self._rows.state.parts):
            self._rows.compact(build, parts, tail=False)
            self._untidy = True

    def _lost(self) -> list[Part]:
        """Parts that are in memory, or whose files somebody removed; they are still mapped."""
        assert self._folder is not None
        folder = self._folder.path
        parts = self._rows.state.parts
        return [part for part in parts if not (part.segment.name and (folder / part.segment.name).is_dir())]

    def _build_in_memory(self, keys: NDArray[np.int64], read: ReadRows) -> Segment:
        return build_segment(keys, read, dimension=self._rows.space.dimension, scan=self._rows.scan)

    def _build(self, keys: NDArray[np.int64], read: ReadRows) -> Segment:
        assert self._folder is not None
        dimension, scan = self._rows.space.dimension, self._rows.scan

        def make(allocate: Allocate, name: str) -> Segment:
            return build_segment(keys, read, dimension=dimension, scan=scan, allocate=allocate, name=name)

        return self._folder.build(make)

    def _link(self, wanted: bool) -> None:
        for part in parts_to_link(self._kind, self._rows.state) if wanted else ():
            segment = part.segment
            if self._folder is not None and self._folder.load_graph(segment):
                continue
            threads = self._rows.threads
            graph = build_graph(segment.codes, segment.meta.scan, threads=threads, stopped=self.hurried.is_set)
            if graph is None:
                return  # whoever has the time makes it
            if self._folder is not None:
                self._folder.save_graph(segment, graph)
            segment.attach(graph)

    def _unwiped(self, part: Part) -> NDArray[np.int64]:
        had = self._wiped.get(part.segment.name, part.dead[:0])
        if len(had) == len(part.dead):
            return part.dead[:0]  # rows go and never come back: these are the same
        return np.setdiff1d(part.dead, had, assume_unique=True)

    def _wipe(self, folder: IndexFolder, dead: Mapping[str, NDArray[np.int64]]) -> None:
        """Zero the bytes of rows that the manifest says do not count."""
        for part in self._rows.state.parts:
            name = part.segment.name
            if name in dead:
                folder.wipe(part.segment, np.setdiff1d(dead[name], self._wiped.get(name, []), assume_unique=True))
                self._wiped[name] = dead[name]

    def _write(self, folder: IndexFolder, *, wiped: bool) -> None:
        """The manifest of the present parts.

        Rows that went after the revision it names may be left out already: whoever reads it hears of them again.
        """
        state = self._rows.state
        entries = [
            SegmentEntry(
                part.segment.name,
                part.segment.meta,
                self._wiped.get(part.segment.name, part.dead[:0]) if wiped else part.dead,
            )
            for part in state.parts
        ]
        space = self._rows.space.fingerprint
        folder.write(Manifest(self._uuid, space, self._reflects, state.revision, self.write, wiped, entries))
        self._seen, self._untidy = folder.stamp(), False

    def _names(self) -> set[str]:
        return {part.segment.name for part in self._rows.state.parts}
