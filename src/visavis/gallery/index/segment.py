"""Segment: rows of an index that do not change, in memory or in mapped files."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.gallery.index.faiss_view import FaissView, faiss_view
from visavis.gallery.index.graph import Graph
from visavis.gallery.index.scan_codes import Scan, hard_rows, scan_codes, scan_dtype, scan_rounding, scan_scale
from visavis.gallery.index.vectors import ReadRows, Vectors, packed

_SAMPLE = 8192
_RUNS = 16
_BLOCK = 8192
_MOST_VIEWS = 4096

Allocate = Callable[[str, tuple[int, ...], Any], NDArray[Any]]
"""An array of that name, shape and dtype to be filled, in memory or in a file."""


@dataclass(frozen=True, slots=True)
class SegmentMeta:
    """What is known of a segment besides its arrays.

    Attributes:
        rows: Number of rows.
        dimension: Length of a row.
        scan: Format of its codes.
        packed: Whether its vectors are kept with one byte a value.
        step: Of int8 codes; 1 for other formats.
        longest: Length of its longest row, rounded up.
        worst: Largest error of a row that is not hard.
        crc32: Of its keys and errors, which a search believes without a proof.
    """

    rows: int
    dimension: int
    scan: Scan
    packed: bool
    step: float
    longest: float
    worst: float
    crc32: int = 0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def arrays(self) -> dict[str, tuple[tuple[int, ...], Any]]:
        """Shape and dtype of each array, by name."""
        wide = (self.rows, self.dimension)
        found: dict[str, tuple[tuple[int, ...], Any]] = {
            "keys": ((self.rows,), np.int64),
            "errors": ((self.rows,), np.float32),
            "vectors": (wide, np.int8 if self.packed else np.float32),
        }
        if self.packed or self.scan != "float32":
            found["codes"] = (wide, scan_dtype(self.scan))
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Rows in rising order of their keys.

    Attributes:
        meta: What is known of it.
        keys: int64 ``(N,)``, rising.
        vectors: Its float32 rows.
        codes: What is scanned ``(N, D)``.
        errors: float32 ``(N,)``: how far each row lies from what its codes stand for; infinite for hard rows, which are
            scored in float32 every time.
        hard: int64 ``(H,)``: the hard rows.
        rounding: See `visavis.gallery.index.scan_codes.scan_rounding`.
        name: Of its folder; empty for one in memory.
    """

    meta: SegmentMeta
    keys: NDArray[np.int64]
    vectors: Vectors
    codes: NDArray[Any]
    errors: NDArray[np.float32]
    hard: NDArray[np.int64]
    rounding: float
    name: str = ""
    _views: dict[tuple[int, int], FaissView] = field(default_factory=dict)
    _lock: list[threading.Lock] = field(default_factory=lambda: [threading.Lock()])
    _graph: list[Graph] = field(default_factory=list)
    _hard: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = field(default_factory=list)

    @classmethod
    def of(cls, meta: SegmentMeta, arrays: dict[str, NDArray[Any]], *, name: str = "") -> Segment:
        """A segment of its arrays, see `SegmentMeta.arrays`."""
        errors = arrays["errors"]
        return cls(
            meta,
            arrays["keys"],
            Vectors(arrays["vectors"]),
            arrays.get("codes", arrays["vectors"]),
            errors,
            np.flatnonzero(np.isinf(errors)).astype(np.int64),
            scan_rounding(meta.scan, meta.dimension),
            name,
        )

    def __len__(self) -> int:
        return self.meta.rows

    def start_anew(self) -> None:
        """In a forked process: a lock that nobody holds."""
        self._lock[:] = [threading.Lock()]

    def view(self, start: int, end: int) -> FaissView:
        """The scan of some rows; kept, since searches ask for the same again."""
        with self._lock[0]:
            found = self._views.get((start, end))
            if found is None:
                if len(self._views) >= _MOST_VIEWS:
                    self._views.clear()
                found = self._views[start, end] = faiss_view(self.codes[start:end], self.meta.scan)
            return found

    def hard_rows(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Keys and vectors of the hard rows, which every search needs: read once."""
        with self._lock[0]:
            if not self._hard:
                self._hard.append((self.keys[self.hard], self.vectors.read(self.hard)))
            return self._hard[0]

    @property
    def graph(self) -> Graph | None:
        """The graph of its rows, where one was made."""
        return self._graph[0] if self._graph else None

    def attach(self, graph: Graph) -> None:
        """Give it a graph; searches that may be approximate use it from then on."""
        self._graph[:] = [graph]

    def places(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of those of the keys that are here, in the order of the keys."""
        if not len(self):
            return np.empty(0, np.int64)
        rows = np.minimum(np.searchsorted(self.keys, keys), len(self) - 1)
        return np.asarray(rows[self.keys[rows] == keys], np.int64)


def memory_array(_: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An array in memory."""
    return np.empty(shape, dtype)


def build_segment(
    keys: NDArray[np.int64],
    read: ReadRows,
    *,
    dimension: int,
    scan: Scan,
    allocate: Allocate = memory_array,
    name: str = "",
) -> Segment:
    """Make a segment, block by block.

    Args:
        keys: int64 ``(N,)``, rising.
        read: Gives its rows.
        dimension: Length of a row.
        scan: Format of its codes.
        allocate: Where its arrays are.
        name: Of its folder.
    """
    rows = len(keys)
    sample = _sampled(read, rows, dimension)
    step = scan_scale(sample) if scan == "int8" and rows else 1.0
    small = scan != "float32" and _all_pack(read, rows, sample)
    shape = SegmentMeta(rows, dimension, scan, small, step, 0.0, 0.0)
    arrays = {what: allocate(what, *form) for what, form in shape.arrays().items()}
    arrays["keys"][:] = keys
    longest = 0.0
    for start in range(0, rows, _BLOCK):
        end = min(start + _BLOCK, rows)
        vectors = read(start, end)
        codes, errors = scan_codes(vectors, scan, step=step)
        arrays["errors"][start:end] = errors
        if "codes" in arrays:
            arrays["codes"][start:end] = codes
        arrays["vectors"][start:end] = packed(vectors) if small else vectors
        longest = max(longest, float(np.linalg.norm(vectors.astype(np.float64), axis=1).max()))
    errors = arrays["errors"]
    errors[hard_rows(errors)] = np.inf
    worst = float(errors[np.isfinite(errors)].max(initial=0.0))
    meta = replace(shape, longest=float(np.nextafter(longest, np.inf)), worst=worst, crc32=checksum(arrays))
    return Segment.of(meta, arrays, name=name)


def checksum(arrays: Mapping[str, NDArray[Any]]) -> int:
    """crc32 of keys and errors, of which a wrong one would give a wrong answer; a few bytes a row."""
    return zlib.crc32(arrays["errors"].data, zlib.crc32(arrays["keys"].data))


def _sampled(read: ReadRows, rows: int, dimension: int) -> NDArray[np.float32]:
    """Rows from all over, in a few runs."""
    if rows <= _SAMPLE:
        return read(0, rows) if rows else np.empty((0, dimension), np.float32)
    run = _SAMPLE // _RUNS
    starts = np.linspace(0, rows - run, _RUNS).astype(np.int64)
    return np.concatenate([read(int(start), int(start) + run) for start in starts])


def _all_pack(read: ReadRows, rows: int, sample: NDArray[np.float32]) -> bool:
    if not rows or packed(sample) is None:
        return False
    return all(packed(read(start, min(start + _BLOCK, rows))) is not None for start in range(0, rows, _BLOCK))
