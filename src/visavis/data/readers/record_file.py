"""InsightFace record files: ``train.rec`` with ``train.idx``, in the record format of MXNet."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visavis.data.readers.collection import Record, collection_error
from visavis.errors import InputError, UnreadableError
from visavis.io.files import open_regular, read_file
from visavis.io.fingerprints import file_state, hashed
from visavis.io.limits import Limits, default_limits
from visavis.io.source import Source

MAGIC = struct.pack("<I", 0xCED7230A)
_PART = struct.Struct("<4sI")
_HEADER = struct.Struct("<IfQQ")
_LENGTH_BITS = 29
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_MOST_LABELS = 1024
_INDEX_LIMITS = Limits(max_bytes=1 << 33)


class _Head(NamedTuple):
    labels: tuple[float, ...]
    start: int


class RecordFile:
    """The pictures of a record file, by their places in the index.

    A record is one or several parts: magic number, three bits that say which part it is, 29 bits of length, the bytes,
    filled up to four. Parts are joined by the magic number, which is where the writer had cut them. A record of a
    picture begins with a flag, a label, two numbers, and ``flag`` further labels where the flag is not 0; the first
    label is the identity. Record 0 of InsightFace's files has two labels instead of a picture: pictures are the records
    1 up to the first of them, and what follows up to the second are records of identities, which are not needed here.
    Sources: MXNet ``recordio``, dmlc-core ``recordio.h``, insightface ``face2rec2.py``.

    Args:
        path: The ``.rec`` file, or the folder of ``train.rec``; the index lies beside it with the suffix ``.idx``.

    Raises:
        InputError: The index or record 0 cannot be read, or points out of the file.
    """

    def __init__(self, path: str | Path) -> None:
        place = Path(path)
        self.path = str(place / "train.rec" if place.is_dir() else place)
        try:
            self._file = os.fdopen(open_regular(self.path), "rb", buffering=0)
        except UnreadableError as error:
            raise collection_error(self.path, f"cannot be read ({error.message})") from error
        self._size = os.fstat(self._file.fileno()).st_size
        self._keys, self._offsets = self._pictures(*_read_index(Path(self.path).with_suffix(".idx"), self._size))

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, row: int) -> Record:
        key, offset = int(self._keys[row]), int(self._offsets[row])
        source = Source(f"{self.path}::{key}", partial(_read_picture, self, offset))
        return Record(f"{key}", _identity(self._head(offset).labels), source)

    def records(self) -> Iterator[Record]:
        """All pictures in the order of their numbers."""
        return (self[row] for row in range(len(self)))

    def fingerprint(self) -> str:
        """See `Collection.fingerprint`."""
        index = Path(self.path).with_suffix(".idx")
        return hashed([file_state(self.path), file_state(index), self._offsets.tobytes().hex()])

    def read(self, offset: int, limits: Limits) -> bytes:
        """The encoded picture of the record that begins at a byte.

        Raises:
            InputError: The record is damaged, cut or longer than the limit.
        """
        data = self._record(offset, limits.max_bytes)
        return data[_head_of(data, self._name(offset)).start :]

    def _record(self, offset: int, most: int) -> bytes:
        parts: list[bytes] = []
        kind = _FIRST
        while kind in (_FIRST, _MIDDLE):
            kind, start, length = self._part(offset, first=not parts)
            if sum(map(len, parts)) + length > most:
                raise collection_error(self._name(offset), f"the record is longer than the limit of {most} bytes")
            parts.append(self._bytes(start, length))
            offset = start + length + -length % 4
        return MAGIC.join(parts)

    def _part(self, offset: int, *, first: bool) -> tuple[int, int, int]:
        """Kind, start and length of a part."""
        magic, word = _PART.unpack(self._bytes(offset, _PART.size))
        kind, length = word >> _LENGTH_BITS, word & ((1 << _LENGTH_BITS) - 1)
        if magic != MAGIC or kind not in ((_WHOLE, _FIRST) if first else (_MIDDLE, _LAST)):
            raise collection_error(self._name(offset), "there is no record here; the index belongs to another file")
        return kind, offset + _PART.size, length

    def _head(self, offset: int) -> _Head:
        """The labels of a record, without its picture."""
        kind, start, length = self._part(offset, first=True)
        wanted = _HEADER.size + 4 * _MOST_LABELS
        if kind == _FIRST and length < wanted:
            return _head_of(self._record(offset, default_limits().max_bytes), self._name(offset))
        return _head_of(self._bytes(start, min(length, wanted)), self._name(offset))

    def _bytes(self, start: int, length: int) -> bytes:
        data = os.pread(self._file.fileno(), length, start) if start + length <= self._size else b""
        if len(data) != length:
            raise collection_error(self._name(start), f"{length} bytes were expected; the file ends before")
        return data

    def _pictures(
        self, keys: NDArray[np.int64], offsets: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The places of the pictures: those that record 0 counts, else all."""
        if not len(keys):
            raise collection_error(self.path, "its index is empty")
        if keys[0] == 0:
            labels = self._head(int(offsets[0])).labels
            if len(labels) > 1:
                chosen = (keys > 0) & (keys < labels[0])
                if not chosen.any() or not np.isfinite(labels[0]):
                    raise collection_error(self.path, f"record 0 says that pictures end before {labels[0]:g}")
                return keys[chosen], offsets[chosen]
        return keys, offsets

    def _name(self, offset: int) -> str:
        return f"{self.path} at byte {offset}"

    def __reduce__(self) -> tuple[type[RecordFile], tuple[str]]:
        return RecordFile, (self.path,)


def read_property(path: str | Path) -> tuple[int, int, int]:
    """Identities, height and width that the file ``property`` beside a record file tells.

    Raises:
        InputError: It cannot be read, or is not three numbers.
    """
    try:
        values = [int(word) for word in read_file(path).decode("ascii").strip().split(",")]
    except (UnreadableError, ValueError) as error:
        raise collection_error(str(path), f"is not identities,height,width ({error})") from error
    if len(values) != 3 or min(values) < 1:
        raise collection_error(str(path), f"is not identities,height,width; got {values}")
    return values[0], values[1], values[2]


def _read_picture(file: RecordFile, offset: int, limits: Limits) -> bytes:
    try:
        return file.read(offset, limits)
    except InputError as error:
        raise UnreadableError(error.message, reason="unreadable.corrupt") from error
    except OSError as error:
        raise UnreadableError(f"{file.path}: {error}", reason="unreadable.io-error") from error


def _head_of(data: bytes, name: str) -> _Head:
    if len(data) < _HEADER.size:
        raise collection_error(name, f"the record has {len(data)} bytes; its header alone has {_HEADER.size}")
    flag, label, _, _ = _HEADER.unpack_from(data)
    if not flag:
        return _Head((label,), _HEADER.size)
    end = _HEADER.size + 4 * flag
    if flag > _MOST_LABELS or end > len(data):
        raise collection_error(name, f"the record says it has {flag} labels; at most {_MOST_LABELS} that fit are read")
    return _Head(struct.unpack_from(f"<{flag}f", data, _HEADER.size), end)


def _identity(labels: tuple[float, ...]) -> str:
    return str(int(labels[0])) if np.isfinite(labels[0]) and labels[0] == int(labels[0]) else str(labels[0])


def _read_index(path: Path, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keys and offsets of an index, in the order of the keys."""
    try:
        lines = read_file(path, _INDEX_LIMITS).decode("ascii").split()
        table = np.array(lines, dtype=np.int64).reshape(-1, 2)
    except (UnreadableError, ValueError, OverflowError) as error:
        raise collection_error(str(path), f"is not an index of key and offset a line ({error})") from error
    table = table[np.argsort(table[:, 0], kind="stable")]
    keys, offsets = table[:, 0], table[:, 1]
    if (np.diff(keys) == 0).any() or (keys < 0).any():
        raise collection_error(str(path), "a key stands twice, or is below 0")
    if (offsets < 0).any() or (offsets >= size).any():
        raise collection_error(str(path), f"an offset lies outside of the record file of {size} bytes")
    return keys, offsets
