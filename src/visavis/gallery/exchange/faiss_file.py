"""FAISS indexes that hold every vector: flat and scalar-quantised ones, with or without ids.

The bytes are parsed here first, and each size must fit exactly: `faiss.read_index` trusts its file, and a hostile one
can end the interpreter. Layout: ``faiss/impl/index_write.cpp`` of FAISS 1.15, little endian.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visavis._require import require
from visavis.errors import InputError
from visavis.gallery.exchange.csv_file import read_text_rows
from visavis.gallery.exchange.embeddings import LONGEST, Embeddings, checked_embeddings, require_distinct
from visavis.gallery.exchange.target import no_database
from visavis.io._unreadable import printable
from visavis.io.atomic import write_output
from visavis.io.files import is_file, read_file
from visavis.io.limits import Limits

SIDECAR = ".people.csv"
"""What is added to the name of an index for the table of who its ids are."""

_MOST_BYTES = 1 << 36
_HEAD = struct.Struct("<4siqqqBi")
_QUANTISER = struct.Struct("<iifQQQ")
_LENGTH = struct.Struct("<Q")
_PLAIN_METRICS = (0, 1)
_FLAT = (b"IxFI", b"IxF2", b"IxFl")
_SCALAR = b"IxSQ"
_WITH_IDS = (b"IxMp", b"IxM2")
_BITS = {0: 8, 1: 4, 2: 8, 3: 4, 4: 16, 5: 8, 6: 6, 7: 16, 8: 8}
"""Bits a value of the quantisers (``ScalarQuantizer::QuantizerType``)."""
_TRAINED = {0: 2, 1: 2, 2: -2, 3: -2, 6: 2}
"""Floats that a quantiser keeps: times D, or in all where below 0; none for others."""


class _Head(NamedTuple):
    kind: bytes
    dimension: int
    rows: int


def read_faiss_embeddings(path: str | Path, *, several: bool = False) -> Embeddings:
    """The vectors of a FAISS index, the ids as people.

    Args:
        path: A file of ``faiss.write_index``: ``IndexFlat``, ``IndexScalarQuantizer``, or one of them in an
            ``IndexIDMap`` or ``IndexIDMap2``. Without ids the numbers of the rows are the people. A table
            ``NAME.people.csv`` beside it, ``id, person, name``, says who the ids are.
        several: Whether vectors of one id are samples of one person.

    Raises:
        UnreadableError: The file cannot be read.
        InputError: ``exchange.faiss``: another kind of index, or a damaged one; ``exchange.vectors``: a row cannot be
            used.
        DependencyError: faiss is not installed, which quantised indexes need.
    """
    where = os.fspath(path)
    data = memoryview(read_file(path, Limits(max_bytes=_MOST_BYTES)))
    vectors, ids = faiss_vectors(where, data)
    listed = [str(one) for one in ids.tolist()]
    if not several:
        require_distinct(where, listed)
    table = Path(f"{where}{SIDECAR}")
    if not is_file(table):
        return checked_embeddings(where, people=listed, vectors=vectors)
    known = {row["id"]: row for row in read_text_rows(table, ("id", "person", "name"))}
    missing = next((one for one in listed if one not in known), None)
    if missing is not None:
        raise refused(where, f"holds the id {missing}, which {table.name} beside it does not name; remove the table or "
                             "complete it")  # fmt: skip
    return checked_embeddings(
        where,
        people=[known[one]["person"] for one in listed],
        vectors=vectors,
        names=[known[one]["name"] or None for one in listed],
    )


def faiss_vectors(where: str, data: memoryview) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Vectors ``(N, D)`` and ids ``(N,)`` of the bytes of an index.

    Raises:
        InputError: ``exchange.faiss``: another kind of index, or a damaged one.
    """
    cursor = _Cursor(where, data)
    head = cursor.head()
    if head.kind not in _WITH_IDS:
        vectors = _vectors(cursor, head)
        cursor.end()
        return vectors, np.arange(head.rows, dtype=np.int64)
    start = cursor.at
    inner = cursor.head()
    if (inner.dimension, inner.rows) != (head.dimension, head.rows):
        raise refused(where, f"maps {head.rows} ids to {inner.rows} vectors; it is damaged")
    vectors = _vectors(cursor, inner, start=start)
    ids = np.frombuffer(cursor.items(8, head.rows), "<i8").astype(np.int64)
    cursor.end()
    return vectors, ids


def write_faiss_embeddings(path: str | Path, vectors: NDArray[np.float32], ids: NDArray[np.int64]) -> Path:
    """Write unit vectors as an ``IndexIDMap2`` over an ``IndexFlatIP``, as `faiss.read_index` reads it.

    Args:
        path: The file.
        vectors: float32 ``(N, D)``.
        ids: int64 ``(N,)``.

    Raises:
        UsageError: The path cannot be written.
        DependencyError: faiss is not installed.
    """
    faiss = require("faiss", extra="gallery", why="writing a FAISS index")
    index = faiss.IndexIDMap2(faiss.IndexFlatIP(int(vectors.shape[1])))
    index.add_with_ids(np.ascontiguousarray(vectors, np.float32), np.ascontiguousarray(ids, np.int64))
    return write_output(no_database(path), faiss.serialize_index(index).tobytes())


def refused(where: str, text: str) -> InputError:
    """The error for an index that is not read."""
    return InputError(f"{printable(where)} {printable(text)}", reason="exchange.faiss")


class _Cursor:
    """A place in the bytes of an index; whatever is asked for must be there."""

    def __init__(self, where: str, data: memoryview) -> None:
        self.where, self.data, self.at = where, data, 0

    def take(self, size: int) -> memoryview:
        """The next bytes."""
        if size > len(self.data) - self.at:
            raise refused(self.where, f"ends at byte {len(self.data)}, {size} more are due at {self.at}; it is cut")
        self.at += size
        return self.data[self.at - size : self.at]

    def items(self, size: int, count: int) -> memoryview:
        """A vector of so many items of so many bytes; its length is stored in front."""
        (told,) = _LENGTH.unpack(self.take(_LENGTH.size))
        if told != count:
            raise refused(self.where, f"holds a list of {told} where {count} are due; it is damaged")
        return self.take(size * count)

    def head(self) -> _Head:
        """Kind, dimension and count, as every index begins."""
        if len(self.data) - self.at < _HEAD.size:
            raise refused(self.where, "is not a FAISS index, or it is cut")
        kind, dimension, count, _, _, trained, metric = _HEAD.unpack(self.take(_HEAD.size))
        if kind not in (*_FLAT, _SCALAR, *_WITH_IDS):
            raise refused(
                self.where,
                f"is a FAISS index of kind {kind!a}, or none; accepted are flat and scalar-quantised ones, in an "
                "IndexIDMap or not: copy the vectors into one (index.reconstruct_n)",
            )
        if not (1 <= dimension <= LONGEST and 0 <= count <= len(self.data)):
            raise refused(self.where, f"declares {count} vectors of {dimension} values; it is damaged")
        if trained != 1 or metric not in _PLAIN_METRICS:
            raise refused(self.where, f"is not trained, or of metric {metric}; inner product and L2 are accepted")
        return _Head(kind, dimension, count)

    def end(self) -> None:
        """Refuse bytes that are left."""
        if self.at != len(self.data):
            raise refused(self.where, f"has {len(self.data) - self.at} bytes after its end; it is damaged")


def _vectors(cursor: _Cursor, head: _Head, *, start: int = 0) -> NDArray[np.float32]:
    if head.kind in _FLAT:
        found = cursor.items(4, head.rows * head.dimension)
        return np.frombuffer(found, "<f4").reshape(head.rows, head.dimension)
    if head.kind != _SCALAR:
        raise refused(cursor.where, f"has an index of kind {head.kind!a} inside another; it is damaged")
    kind, _, _, dimension, code_bytes, trained = _QUANTISER.unpack(cursor.take(_QUANTISER.size))
    bits = _BITS.get(kind)
    if bits is None or dimension != head.dimension or code_bytes != -(-bits * dimension // 8):
        raise refused(cursor.where, f"has a quantiser of kind {kind} with codes of {code_bytes} bytes; not accepted")
    per = _TRAINED.get(kind, 0)
    if trained != (per * dimension if per > 0 else -per):
        raise refused(cursor.where, f"has a quantiser that keeps {trained} values; it is damaged")
    cursor.take(4 * trained)
    cursor.items(1, head.rows * code_bytes)
    faiss = require("faiss", extra="gallery", why="reading a scalar-quantised FAISS index")
    part: Any = np.frombuffer(cursor.data[start : cursor.at], np.uint8)
    index = faiss.deserialize_index(part)
    return np.asarray(index.reconstruct_n(0, head.rows) if head.rows else np.empty((0, head.dimension), np.float32))
