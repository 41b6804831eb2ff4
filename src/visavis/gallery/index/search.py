"""Search of one state: the tail and small parts in float32, the others by scan, or by graph when that is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.gallery.index.best import Best
from visavis.gallery.index.direct import score_directly
from visavis.gallery.index.graph import Graph
from visavis.gallery.index.scan import Scanner
from visavis.gallery.index.scan_codes import Scan, ScanProbes, scan_probes
from visavis.gallery.index.scope import Picked, Scope, scopes
from visavis.gallery.index.similarity import exact_similarities
from visavis.gallery.index.state import State, Tail
from visavis.gallery.index.threads import SearchThreads

_GROUP = 256
_GROUP_ROWS = 1 << 14
_TAIL_LONGEST = 1.01
_GRAPH_EXTRA = 32


@dataclass(frozen=True, slots=True)
class SearchCounts:
    """What searches had to do beyond one scan.

    Attributes:
        probes: Probes searched for.
        rescans: Times that a block was scanned again in finer ones.
        fallbacks: Times that a block was passed over in float32.
    """

    probes: int = 0
    rescans: int = 0
    fallbacks: int = 0

    def __add__(self, other: SearchCounts) -> SearchCounts:
        return SearchCounts(self.probes + other.probes, self.rescans + other.rescans, self.fallbacks + other.fallbacks)


@dataclass(frozen=True, slots=True, eq=False)
class SearchResult:
    """Keys and similarities ``(N, k)``, best first; -1 and NaN where there are fewer rows; and what it took."""

    keys: NDArray[np.int64]
    similarity: NDArray[np.float32]
    counts: SearchCounts


def search_state(
    state: State,
    vectors: NDArray[np.float32],
    *,
    k: int,
    scan: Scan,
    threads: SearchThreads,
    among: NDArray[np.int64] | None = None,
    graphs: bool = False,
) -> SearchResult:
    """The k best rows of each probe.

    Args:
        state: The rows.
        vectors: Probes, unit vectors ``(N, D)``.
        k: At least 1.
        scan: The format of all segments.
        threads: Where scans run.
        among: Keys that may be found; all when None.
        graphs: Whether segments that have a graph are walked instead of scanned; such an answer may miss rows.
    """
    keys = np.full((len(vectors), k), -1, np.int64)
    similarity = np.full((len(vectors), k), np.nan, np.float32)
    counts = SearchCounts()
    among = None if among is None else np.sort(among)  # looked up many times as fast
    scanned, picked = scopes(state, among)
    together = max(1, min(_GROUP, _GROUP_ROWS // k))  # buffers grow with k: fewer probes share them
    for start in range(0, len(vectors), together):
        probes = scan_probes(vectors[start : start + together], scan)
        bests = [Best(k) for _ in range(len(probes))]
        which = range(len(probes))
        _score_tail(state.tail, among, probes, which, bests)
        for one in picked:
            _score_picked(one, probes, which, bests)
        for scope in scanned:
            _score_hard(scope, probes, which, bests)
        walked = [scope for scope in scanned if graphs and scope.segment.graph is not None]
        for scope in walked:
            _walk(scope, probes, bests, threads)
        scanner = Scanner(probes, bests, threads.run, threads=threads.count)
        rest = [scope for scope in scanned if scope not in walked]
        if rest:
            scanner.search(rest, which)
        counts += SearchCounts(len(probes), scanner.rescans, scanner.fallbacks)
        for row, best in enumerate(bests, start):
            keys[row, : len(best.keys)] = best.keys
            similarity[row, : len(best.keys)] = best.similarity
    return SearchResult(keys, similarity, counts)


def _score_tail(
    tail: Tail, among: NDArray[np.int64] | None, probes: ScanProbes, which: Sequence[int], bests: Sequence[Best]
) -> None:
    keep = tail.alive if among is None else tail.alive & np.isin(tail.keys, among)
    if keep.any():
        score_directly(
            tail.keys,
            lambda start, end: tail.vectors[start:end],
            probes,
            which,
            bests,
            longest=_TAIL_LONGEST,
            keep=None if keep.all() else keep,
        )


def _score_hard(scope: Scope, probes: ScanProbes, which: Sequence[int], bests: Sequence[Best]) -> None:
    segment = scope.segment
    if len(segment.hard):
        keys, vectors = segment.hard_rows()
        score_directly(
            keys,
            lambda start, end: vectors[start:end],
            probes,
            which,
            bests,
            longest=segment.meta.longest,
            keep=None if scope.keep is None else scope.keep[segment.hard],
        )


def _score_picked(picked: Picked, probes: ScanProbes, which: Sequence[int], bests: Sequence[Best]) -> None:
    segment, rows = picked.segment, picked.rows
    score_directly(
        segment.keys[rows],
        lambda start, end: segment.vectors.read(rows[start:end]),
        probes,
        which,
        bests,
        longest=segment.meta.longest,
    )


def _walk(scope: Scope, probes: ScanProbes, bests: Sequence[Best], threads: SearchThreads) -> None:
    """Offer what the graph finds, scored exactly."""
    segment, graph = scope.segment, scope.segment.graph
    assert isinstance(graph, Graph)
    wanted = min(max(2 * bests[0].k, bests[0].k + _GRAPH_EXTRA), len(segment))

    def one(share: slice) -> None:
        found = graph.search(probes.codes[share], wanted, keep=scope.bits)
        for row, probe in zip(found, range(share.start, share.stop), strict=True):
            rows = np.sort(row[row >= 0])
            similarity = exact_similarities(segment.vectors.read(rows), probes.vectors[probe])
            bests[probe].offer(segment.keys[rows], similarity)

    steps = -(-len(probes) // threads.count)
    threads.run(one, [slice(low, min(low + steps, len(probes))) for low in range(0, len(probes), steps)])
