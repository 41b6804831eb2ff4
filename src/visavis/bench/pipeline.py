"""Pictures a second from file to template: every engine here, its floor, and two peers, in interleaved rounds."""

from __future__ import annotations

import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from visavis.bench.floor import Floor
from visavis.bench.peer import Peer, dlib_peer, opencv_peer, plain_offsets
from visavis.errors import DependencyError, UsageError
from visavis.io import TarStore, open_store
from visavis.io.source import is_image_name
from visavis.metrics.folds import fold_accuracy
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.evaluate import score_pairs
from visavis.protocols.folds import protocol_folds
from visavis.protocols.pairs import PairList, read_pairs
from visavis.runtime.machine import machine
from visavis.runtime.session import EngineOptions, cores

_log = logging.getLogger("visavis")
_SLOW_PEER_SHARE = 4
"""dlib is timed on one in this many of the pictures: it takes ten times as long."""

NEAR = 1e-3
"""How far the accuracy of a row may lie below OpenCV's for the row to stand for visavis."""


@dataclass(slots=True, eq=False)
class _Row:
    """One thing that is timed.

    Attributes:
        name: For the record.
        run: Does the work once and returns pictures a second.
        speeds: Pictures a second of each round.
    """

    name: str
    run: Callable[[], float]
    speeds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.speeds)


def bench_pipeline(
    images: str | Path, *, pair_list: Path | None = None, count: int = 800, rounds: int = 5, peers: bool = True
) -> dict[str, Any]:
    """Time the default pipeline on every installed engine and precision, against its floor and peers.

    Args:
        images: Plain tar archive.
        pair_list: Pairs for the accuracy of each row; ``pairs.txt`` beside the archive when None and there.
        count: Pictures in each timed run.
        rounds: Interleaved rounds; each figure is the median over them.
        peers: Also run OpenCV's and dlib's pipelines, in environments that are made with pip on first use.

    Returns:
        ``visavis``, ``opencv``, ``dlib``, ``bare`` (pictures a second), ``ratio_opencv``, ``ratio_bare``,
        ``ratio_dlib``, ``rows``, ``peers``, ``machine``, ``notes``. The row that stands for visavis is the fastest
        whose accuracy is not more than 0.001 below OpenCV's.

    Raises:
        UsageError: Not a plain tar archive of pictures, or counts below 1.
        ModelError: A peer or an engine cannot be run.
    """
    if count < 1 or rounds < 1:
        raise UsageError(f"count and rounds are at least 1; got {count} and {rounds}")
    store = open_store(images)
    if not isinstance(store, TarStore):
        raise UsageError(f"the bench reads a plain tar archive, as its peers do; {images} is a folder")
    plain_offsets(Path(images))
    pairs = _pairs(Path(images), store, pair_list)
    names = [name for name in (pairs.images if pairs is not None else store.names()) if is_image_name(name)]
    timed = names[:: max(1, len(names) // count)][:count]
    with ExitStack() as stack:
        children = _peers(stack) if peers else {}
        engines = [(options, *_engine_rows(options, store, timed)) for options in _engines()]
        rows = [row for _, ours, bare in engines for row in (ours, bare)]
        rows += [_peer_row(name, peer, store, timed) for name, peer in children.items()]
        for turn in range(rounds):
            for row in rows[turn % len(rows) :] + rows[: turn % len(rows)]:
                row.speeds.append(row.run())
                _log.info("%s: %.1f pictures/s", row.name, row.speeds[-1])
        peer_rows = {row.name: row for row in rows if row.name in children}
        accuracy = {} if pairs is None else {"opencv": _peer_accuracy(children, store, pairs)}
        for options, _, _ in engines:
            accuracy[_label(options)] = None if pairs is None else _accuracy(options, store, pairs)
    return _record(engines, peer_rows, accuracy, count=len(timed), rounds=rounds, children=children)


def _pairs(images: Path, store: TarStore, given: Path | None) -> PairList | None:
    """The given pair list, or the one beside the archive when it is about the archive's pictures."""
    if given is not None:
        return read_pairs(given)
    beside = images.with_name("pairs.txt")
    if not beside.is_file():
        return None
    pairs = read_pairs(beside)
    if all(name in store for name in pairs.images):
        return pairs
    _log.warning("%s names pictures that %s does not hold; no accuracy is computed", beside, images)
    return None


def _engines() -> list[EngineOptions]:
    found = [EngineOptions(engine="onnxruntime", precision="fp32")]
    try:
        from visavis.runtime.openvino_session import precisions

        found += [EngineOptions(engine="openvino", precision=precision) for precision in precisions()]
    except DependencyError:
        _log.warning("OpenVINO is not installed; its rows are left out. Run: pip install 'visavis[openvino]'")
    return found


def _label(options: EngineOptions) -> str:
    return f"{options.engine} {options.precision}"


def _engine_rows(options: EngineOptions, store: TarStore, names: list[str]) -> tuple[_Row, _Row]:
    pipeline = Pipeline(engine=options)
    sources = [store.get(name) for name in names]
    floor = Floor(options, sources)

    def whole() -> float:
        pipeline.embed(sources[:8])
        begin = time.perf_counter()
        pipeline.embed(sources)
        return len(sources) / (time.perf_counter() - begin)

    def bare() -> float:
        return len(sources) / floor.seconds()

    return _Row(_label(options), whole), _Row(f"{_label(options)} bare", bare)


def _peers(stack: ExitStack) -> dict[str, Peer]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="visavis-bench-")))
    many = {
        "opencv, a process a core": opencv_peer(folder),
        "opencv, one process": opencv_peer(folder, workers=1, threads=cores()),
        "dlib, one process": dlib_peer(workers=1),
        "dlib, a process a core": dlib_peer(),
    }
    return {name: stack.enter_context(peer) for name, peer in many.items()}


def _peer_row(name: str, peer: Peer, store: TarStore, names: list[str]) -> _Row:
    some = names[::_SLOW_PEER_SHARE] if name.startswith("dlib") else names
    offsets = _offsets(store, some)
    return _Row(name, lambda: peer.run(Path(store.index.path), offsets).per_second)


def _offsets(store: TarStore, names: list[str]) -> list[tuple[int, int]]:
    members = [store.index.find(name) for name in names]
    return [(member.offset, member.size) for member in members]


def _accuracy(options: EngineOptions, store: TarStore, pairs: PairList) -> float:
    scored = score_pairs(Pipeline(engine=options), pairs, store)
    return fold_accuracy(scored.similarities, pairs.same, protocol_folds(pairs).labels).mean


def _peer_accuracy(children: dict[str, Peer], store: TarStore, pairs: PairList) -> float | None:
    peer = next((peer for name, peer in children.items() if name.startswith("opencv")), None)
    if peer is None:
        return None
    with tempfile.TemporaryDirectory(prefix="visavis-bench-") as folder:
        path = Path(folder) / "embeddings.npy"
        peer.run(Path(store.index.path), _offsets(store, list(pairs.images)), embeddings=path)
        raw = np.load(path, allow_pickle=False).astype(np.float64)
    unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    left, right = pairs.positions()
    similarities = np.einsum("pd,pd->p", unit[left], unit[right])
    return fold_accuracy(similarities, pairs.same, protocol_folds(pairs).labels).mean


def _record(
    engines: list[tuple[EngineOptions, _Row, _Row]],
    peers: dict[str, _Row],
    accuracy: dict[str, float | None],
    *,
    count: int,
    rounds: int,
    children: dict[str, Peer],
) -> dict[str, Any]:
    best = {kind: _fastest(peers, kind) for kind in ("opencv", "dlib")}
    alone = peers.get("dlib, one process")
    dlib = None if alone is None else alone.median
    wanted = accuracy.get("opencv")
    rows: list[dict[str, Any]] = []
    for options, ours, bare in engines:
        rows.append(
            {
                "engine": options.engine,
                "precision": options.precision,
                "workers": options.workers,
                "pictures_per_second": ours.median,
                "spread": [min(ours.speeds), max(ours.speeds)],
                "bare": bare.median,
                "bare_spread": [min(bare.speeds), max(bare.speeds)],
                "ratio_bare": statistics.median(a / b for a, b in zip(ours.speeds, bare.speeds, strict=True)),
                "ratio_opencv": _ratio(ours.median, best["opencv"]),
                "ratio_dlib": _ratio(ours.median, dlib),
                "ratio_dlib_process_a_core": _ratio(ours.median, best["dlib"]),
                "accuracy": accuracy.get(_label(options)),
            }
        )
    near = [row for row in rows if wanted is None or (row["accuracy"] or 0) >= wanted - NEAR]
    first = max(near or rows, key=lambda row: row["pictures_per_second"])
    return {
        "visavis": first["pictures_per_second"],
        "opencv": best["opencv"],
        "dlib": dlib,
        "bare": first["bare"],
        "ratio_opencv": first["ratio_opencv"],
        "ratio_bare": first["ratio_bare"],
        "ratio_dlib": first["ratio_dlib"],
        "ratio_dlib_process_a_core": first["ratio_dlib_process_a_core"],
        "engine": first["engine"],
        "precision": first["precision"],
        "opencv_accuracy": wanted,
        "rows": rows,
        "peers": [
            {
                "name": name,
                "pictures_per_second": row.median,
                "spread": [min(row.speeds), max(row.speeds)],
                **children[name].loaded_once,
            }
            for name, row in peers.items()
        ],
        "pictures": count,
        "rounds": rounds,
        "machine": machine(),
        "notes": [
            "Medians of interleaved rounds. OpenCV gets the same weights and the same detector inputs; the faster of "
            "its two arrangements (a process a core, one process with all threads) counts.",
            "ratio_dlib is against one process, as face_recognition runs: it has no threads. A process a core is given "
            "beside it.",
        ],
    }


def _fastest(peers: dict[str, _Row], kind: str) -> float | None:
    return max((row.median for name, row in peers.items() if name.startswith(kind)), default=None)


def _ratio(ours: float, theirs: float | None) -> float | None:
    return None if theirs is None else ours / theirs
