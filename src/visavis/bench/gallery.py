"""Milliseconds a search of a gallery: ours, its floor and its peers, in interleaved rounds, and whether it is exact."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.bench.gallery_data import KINDS, MadeFeed, MadeGallery
from visavis.bench.gallery_peers import TOGETHER, Contender, flat, floor, peers
from visavis.bench.gallery_reference import reference_search
from visavis.errors import UsageError
from visavis.gallery.index.graph import LINKS, WIDTH
from visavis.gallery.index.live_index import LiveIndex
from visavis.gallery.index.scan_codes import Scan, scan_dtype
from visavis.gallery.index.upkeep import GRAPH_ROWS
from visavis.runtime.machine import machine
from visavis.runtime.session import cores
from visavis.types import Candidates

_log = logging.getLogger("visavis")
_OPENINGS = 5
_ALONE = 200
_TOP1 = 512
_TIMED = 2048
_COPIES = 2
_BLAS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_NOTES = (
    "ratio_faiss is ms_faiss over ms_single: one probe each, both given these threads. FAISS shares out probes, not "
    "rows, and so runs one probe on one thread; ms_faiss_sharded is one probe in a shard of the rows a thread.",
    "Batches of both sides hold as many probes, see together; ms_faiss_batch_large is FAISS alone with larger ones.",
    "numpy, and what is multiplied in float32 of ours, run on the threads of their BLAS, which its variables set.",
)


@dataclass(frozen=True, slots=True)
class GalleryBench:
    """What is timed.

    Attributes:
        n: Rows.
        dim: Length of a row.
        k: How many are found.
        queries: Probes that are compared with the float32 reference.
        rounds: Interleaved rounds.
        scan: Format that is scanned.
        threads: For every side; all cores when None.
        seed: Of the rows and probes.
        hnsw: Whether graphs are made and timed as well.
    """

    n: int = 1_000_000
    dim: int = 512
    k: int = 10
    queries: int = 10_000
    rounds: int = 5
    scan: Scan = "int8"
    threads: int | None = None
    seed: int = 0
    hnsw: bool = False

    def __post_init__(self) -> None:
        scan_dtype(self.scan)
        if self.seed < 0 or (self.threads is not None and self.threads < 1):
            raise UsageError(f"a seed is 0 or more, threads are 1 or more; got {self.seed}, {self.threads}")
        if not (self.n >= 100 and self.dim >= 2 and 1 <= self.k <= self.n and self.queries >= 1 and self.rounds >= 1):
            raise UsageError(
                "a bench of galleries takes 100 rows, 2 values and 1 probe, round and k at least, k at most the rows; "
                f"got n={self.n}, dim={self.dim}, k={self.k}, queries={self.queries}, rounds={self.rounds}"
            )
        needed, there = _COPIES * self.n * self.dim * 4, _machine_bytes()
        if there is not None and needed > there:
            raise UsageError(
                f"{self.n:,} x {self.dim} take {needed / 1e9:,.0f} GB of memory at least; this machine has "
                f"{there / 1e9:,.0f} GB: take fewer people"
            )
        if self.hnsw and self.n < GRAPH_ROWS:
            raise UsageError(f"galleries of fewer than {GRAPH_ROWS:,} people get no graph to time; got n={self.n}")


def bench_gallery(options: GalleryBench, *, work: Path | None = None) -> dict[str, Any]:
    """Time searches of a made-up gallery, and compare their answers with a float32 reference.

    Args:
        options: What is timed.
        work: Where the files of the index are made, and removed again; a temporary folder when None.

    Returns:
        ``ms_single``, ``ms_batch`` of ours; ``ms_faiss``, ``ms_faiss_sharded``, ``ms_faiss_batch``,
        ``ms_faiss_batch_large``, ``ms_numpy``, ``ms_usearch``, ``ms_faiss_int8`` of peers; ``ms_floor``: reading the
        scanned bytes; ``ratio_faiss``, ``ratio_faiss_sharded``, ``ratio_faiss_batch``, ``ratio_floor``; ``notes``: what
        these compare; ``ids_equal``, ``similarities_equal``, ``top1_agreement`` (the same first row as IndexFlatIP, or
        one tied within its rounding), ``top1_agreement_strict`` (the same), ``fallbacks``; ``opened_ms``, ``first_ms``,
        ``build_seconds``, ``memory``, ``spread``, ``environment``; and ``hnsw`` when asked for.

    Raises:
        DependencyError: FAISS or usearch is not installed.
    """
    made = MadeGallery.of(options.n, options.dim, seed=options.seed)
    probes, kinds = made.probes(options.queries, seed=options.seed)
    feed = MadeFeed(made.vectors)
    threads = cores() if options.threads is None else options.threads
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="visavis-bench-", dir=work)))
        _log.info("building an index of %d x %d", options.n, options.dim)
        build_seconds = _build(feed, folder, options, threads)
        opened_ms, first_ms = _opening(feed, folder, options, threads, probes)
        index = stack.enter_context(LiveIndex(feed, folder=folder, kind="exact", scan=options.scan, threads=threads))
        _log.info("searching %d probes, and the reference", options.queries)
        exact = _compared(index, feed, made.vectors, probes, options.k)
        baseline = flat(made.vectors)
        exact["top1"] = _top1(baseline, made.vectors, probes, exact["found"])
        contenders = _contenders(index, feed, made.vectors, baseline, options, threads)
        _log.info("timing %d rounds", options.rounds)
        for turn in range(options.rounds):
            for place in range(len(contenders)):
                contenders[(place + turn) % len(contenders)].run(probes[:_TIMED], turn)
        record = _record(options, threads, contenders, exact)
        record |= {"build_seconds": build_seconds, "opened_ms": opened_ms, "first_ms": first_ms}
        record["memory"] = _memory(index, folder)
        if options.hnsw:
            _log.info("linking graphs")
            record["hnsw"] = _hnsw(feed, folder, options, threads, probes, kinds, exact["found"])
    return record


def _build(feed: MadeFeed, folder: Path, options: GalleryBench, threads: int) -> float:
    begin = time.perf_counter()
    with LiveIndex(feed, folder=folder, kind="exact", scan=options.scan, threads=threads) as index:
        index.keep_up()
    return time.perf_counter() - begin


def _opening(
    feed: MadeFeed, folder: Path, options: GalleryBench, threads: int, probes: NDArray[np.float32]
) -> tuple[float, float]:
    """Median milliseconds to open the files, and to the first answer after that."""
    opened, first = [], []
    for turn in range(_OPENINGS):
        begin = time.perf_counter()
        with LiveIndex(feed, folder=folder, kind="exact", scan=options.scan, threads=threads) as index:
            opened.append(time.perf_counter() - begin)
            index.search(feed.templates(probes[turn : turn + 1]), k=options.k)
            first.append(time.perf_counter() - begin - opened[-1])
    return median(opened) * 1000, median(first) * 1000


def _compared(
    index: LiveIndex, feed: MadeFeed, vectors: NDArray[np.float32], probes: NDArray[np.float32], k: int
) -> dict[str, Any]:
    """Answers to all probes in batches, to some alone, and what the reference says."""
    templates = feed.templates(probes)
    found = index.search(templates, k=k)
    counts = index.counts
    places = np.unique(np.linspace(0, len(probes) - 1, _ALONE).astype(np.int64))
    alone = [index.search(templates[int(place)], k=k) for place in places]
    rows, values = reference_search(vectors, probes, k)
    equal = np.array_equal(found.keys, rows)
    for place, one in zip(places, alone, strict=True):
        equal = equal and np.array_equal(one.keys[0], rows[place])
    return {
        "found": found,
        "ids_equal": equal,
        "similarities_equal": np.array_equal(found.similarity, values),
        "alone": len(places),
        "fallbacks": {
            "rescans": index.counts.rescans,
            "float32": index.counts.fallbacks,
            "probes": index.counts.probes,
            "float32_in_batches": counts.fallbacks,
        },
    }


def _top1(
    baseline: Any, vectors: NDArray[np.float32], probes: NDArray[np.float32], found: Candidates
) -> dict[str, float | int]:
    """How often the first row is that of IndexFlatIP, and how often it is that or one as similar.

    FAISS adds up in float32. Two rows whose similarities differ by less than its rounding come in any order there.
    """
    places = np.unique(np.linspace(0, len(probes) - 1, _TOP1).astype(np.int64))
    theirs = baseline.search(probes[places], 1)[1][:, 0]
    ours = found.keys[places, 0]
    wide = probes[places].astype(np.float64)
    lead = ((vectors[ours].astype(np.float64) - vectors[theirs]) * wide).sum(axis=1)
    same = ours == theirs
    tied = np.abs(lead) <= vectors.shape[1] * 2.0**-23
    return {"probes": len(places), "same": float(same.mean()), "same_or_tied": float((same | tied).mean())}


def _contenders(
    index: LiveIndex,
    feed: MadeFeed,
    vectors: NDArray[np.float32],
    baseline: Any,
    options: GalleryBench,
    threads: int,
) -> list[Contender]:
    codes = np.concatenate([part.segment.codes for part in index.parts])

    def ours(probes: NDArray[np.float32]) -> Any:
        return index.search(feed.templates(probes), k=options.k)

    int8 = codes if options.scan == "int8" else None
    return [
        Contender("ms_single", ours, 1, 20),
        Contender("ms_batch", ours, TOGETHER, 1),
        floor(codes, threads=threads),
        *peers(vectors, baseline, int8, k=options.k, threads=threads),
    ]


def _record(options: GalleryBench, threads: int, contenders: list[Contender], exact: dict[str, Any]) -> dict[str, Any]:
    times = {one.name: one.milliseconds for one in contenders}
    return {
        "n": options.n,
        "dim": options.dim,
        "k": options.k,
        "threads": threads,
        "scan": options.scan,
        "seed": options.seed,
        "rounds": options.rounds,
        "queries": options.queries,
        **times,
        "ratio_faiss": times["ms_faiss"] / times["ms_single"],
        "ratio_faiss_sharded": times["ms_faiss_sharded"] / times["ms_single"],
        "ratio_faiss_batch": times["ms_faiss_batch"] / times["ms_batch"],
        "ratio_floor": times["ms_single"] / times["ms_floor"],
        "top1_agreement": exact["top1"]["same_or_tied"],
        "top1_agreement_strict": exact["top1"]["same"],
        "top1_probes": exact["top1"]["probes"],
        "ids_equal": exact["ids_equal"],
        "similarities_equal": exact["similarities_equal"],
        "probes_alone": exact["alone"],
        "fallbacks": exact["fallbacks"],
        "spread": {one.name: [min(one.times), max(one.times)] for one in contenders},
        "together": {one.name: one.together for one in contenders},
        "notes": list(_NOTES),
        "environment": {**machine(), **_versions(), "blas": {name: os.environ.get(name) for name in _BLAS}},
    }


def _machine_bytes() -> int | None:
    """Memory of this machine; None where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("numpy", "faiss-cpu", "usearch")}


def _memory(index: LiveIndex, folder: Path) -> dict[str, int | None]:
    """Bytes that a scan reads, of all files, and the most that this process with all its peers held."""
    files = [entry.stat().st_size for entry in folder.rglob("*") if entry.is_file()]
    peak = None
    if sys.platform == "linux":
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "scanned_bytes": sum(part.segment.codes.nbytes for part in index.parts),
        "file_bytes": sum(files),
        "peak_process_bytes": peak,
    }


def _hnsw(
    feed: MadeFeed,
    folder: Path,
    options: GalleryBench,
    threads: int,
    probes: NDArray[np.float32],
    kinds: NDArray[np.int64],
    exact: Candidates,
) -> dict[str, Any]:
    """Graphs over the same files: seconds to make them, milliseconds, and recall against the exact answers."""
    with LiveIndex(feed, folder=folder, kind="hnsw", scan=options.scan, threads=threads) as index:
        begin = time.perf_counter()
        index.keep_up()
        build = time.perf_counter() - begin
        found = index.search(feed.templates(probes), k=options.k)
        single = Contender("single", lambda some: index.search(feed.templates(some), k=options.k), 1, 200)
        many = Contender("batch", single.search, TOGETHER, 5)
        for one in (single, many):
            one.run(probes[:_TIMED], 0)
        graphs = sum(part.segment.graph is not None for part in index.parts)
    reached = found.similarity >= exact.similarity[:, -1:]
    share = reached.mean(axis=1)
    first = found.similarity[:, 0] == exact.similarity[:, 0]
    return {
        "build_seconds": build,
        "graphs": graphs,
        "links": LINKS,
        "width": WIDTH,
        "ms_single": single.milliseconds,
        "ms_batch": many.milliseconds,
        "recall": {
            name: {
                "probes": int((kinds == number).sum()),
                "at_k": float(share[kinds == number].mean()),
                "first": float(first[kinds == number].mean()),
            }
            for number, name in enumerate(KINDS)
            if (kinds == number).any()
        },
    }
