"""ExactIndex: the nearest templates in memory, without a file."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.gallery.index.scan_codes import Scan
from visavis.gallery.index.segment import Segment, build_segment
from visavis.gallery.index.segment_index import SegmentIndex
from visavis.gallery.index.upkeep import FULL_TAIL, parts_to_merge
from visavis.gallery.index.vectors import ReadRows
from visavis.types import Candidates, Templates, TemplateSpace


class ExactIndex:
    """Exact search in memory; a `visavis.types.protocols.Index`. Safe to share between threads.

    Args:
        space: Of the rows; probes must be comparable with it.
        scan: ``int8``, ``float16`` or ``float32``: what is read; the answer is the same with each.
        threads: That one search uses; all cores when None.
    """

    def __init__(self, space: TemplateSpace, *, scan: Scan = "int8", threads: int | None = None) -> None:
        self._rows = SegmentIndex(space, scan=scan, threads=threads)
        self._adding = threading.Lock()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> SegmentIndex:
        """The rows behind it: their state, and counts of what searches had to do."""
        return self._rows

    def add(self, keys: NDArray[np.int64], templates: Templates) -> None:
        """Add rows under new keys; a key that was removed may be used again.

        Raises:
            UsageError: A key is there already, stands twice or is below 0; or a template failed.
            SpaceError: The templates are of another space.
        """
        self._rows.space.require_same(templates.space)
        wanted = np.asarray(keys)
        if not templates.ok.all():
            raise UsageError(f"row {int(np.argmin(templates.ok))} failed; leave failed rows out of an index")
        with self._adding:
            there = self._rows.state.holds(wanted)
            if len(there):
                raise UsageError(f"the key {there[0]} is there already; remove it first, or take another")
            self._rows.apply(wanted, templates.vectors)
            if len(self._rows.state.tail) >= FULL_TAIL:
                self._tidy()

    def remove(self, keys: NDArray[np.int64]) -> None:
        """Remove rows by key.

        Raises:
            UsageError: A key is not there.
        """
        wanted = np.unique(np.asarray(keys))
        with self._adding:
            missing = np.setdiff1d(wanted, self._rows.state.holds(wanted))
            if len(missing):
                raise UsageError(f"there is no row under the key {missing[0]}")
            nothing = np.empty((0, self._rows.space.dimension), np.float32)
            self._rows.apply(np.empty(0, np.int64), nothing, removed=wanted)

    def search(self, probes: Templates, *, k: int, among: NDArray[np.int64] | None = None) -> Candidates:
        """The k most similar rows of each probe, see `SegmentIndex.search`."""
        return self._rows.search(probes, k=k, among=among)

    def close(self) -> None:
        """End the threads; a later search makes others."""
        self._rows.close()

    def _tidy(self) -> None:
        def build(keys: NDArray[np.int64], read: ReadRows) -> Segment:
            return build_segment(keys, read, dimension=self._rows.space.dimension, scan=self._rows.scan)

        self._rows.compact(build, (), tail=True)
        while parts := parts_to_merge(self._rows.state.parts):
            self._rows.compact(build, parts, tail=False)
