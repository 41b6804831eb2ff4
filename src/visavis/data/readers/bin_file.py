"""InsightFace verification files (``lfw.bin``): encoded pictures and whether each pair shows one person, pickled."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from visavis.data.readers.collection import collection_error
from visavis.errors import UnreadableError
from visavis.io._unreadable import check_bytes, unreadable
from visavis.io.files import read_file
from visavis.io.limits import Limits, default_limits
from visavis.io.pickles import restricted_load
from visavis.io.source import Source
from visavis.protocols.pairs import PairList

_MOST_BYTES = 1 << 32
_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")


class BinFile:
    """The pictures of a ``.bin`` file as a store, and its pairs as a list for `visavis.protocols`.

    The file is a pickle of ``(pictures, same)``: 2 P encoded pictures, of which 2 p and 2 p + 1 are pair p, and P
    truth values. Pictures are bytes (of Python 2 as well) or uint8 arrays. It is read with `restricted_load`: it
    can name nothing but what those need. The pictures are aligned crops as a rule.

    Args:
        path: The file.

    Attributes:
        path: The file.
        pairs: The pairs; people are unknown.

    Raises:
        UnreadableError: The file cannot be read, or has more than 4 GiB.
        InputError: ``pickle.refused`` or ``pickle.damaged``; ``collection`` where it holds something else.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        data = read_file(path, Limits(max_bytes=_MOST_BYTES))
        found = restricted_load(data, _ALLOWED, name=self.path, encoding="bytes")
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise self._wrong("it is not a pair of pictures and truth values")
        pictures, same = _plain(found[0]), _plain(found[1])
        if not isinstance(pictures, Sequence) or not isinstance(same, Sequence) or len(pictures) != 2 * len(same):
            raise self._wrong("it does not hold two pictures for each truth value")
        if not same or not all(isinstance(one, bool | int) and one in (0, 1) for one in same):
            raise self._wrong("it has no pairs, or a truth value that is neither true nor false")
        self._pictures = tuple(_encoded(one) for one in pictures)
        if any(one is None for one in self._pictures):
            raise self._wrong("a picture is neither bytes nor an array of uint8")
        names = self.names()
        self.pairs = PairList(tuple(names[::2]), tuple(names[1::2]), np.array(same, np.bool_))

    def names(self) -> list[str]:
        """The names of all pictures: their numbers, as wide as the last."""
        width = len(str(len(self._pictures) - 1))
        return [f"{row:0{width}}" for row in range(len(self._pictures))]

    def get(self, name: str) -> Source:
        """The picture of that name.

        Raises:
            UnreadableError: ``unreadable.missing``.
        """
        self._row(name)
        return Source(f"{self.path}::{name}", partial(self._read, name))

    def read_bytes(self, name: str, limits: Limits | None = None) -> bytes:
        """The encoded bytes of the picture of that name.

        Raises:
            UnreadableError: There is none, or it is longer than the limit.
        """
        return self._read(name, limits or default_limits())

    def __contains__(self, name: object) -> bool:
        try:
            return isinstance(name, str) and self._row(name) >= 0
        except UnreadableError:
            return False

    def _read(self, name: str, limits: Limits) -> bytes:
        data = self._pictures[self._row(name)] or b""
        check_bytes(f"{self.path}::{name}", len(data), limits)
        return data

    def _row(self, name: str) -> int:
        if not (name.isascii() and name.isdigit() and int(name) < len(self._pictures)):
            raise unreadable(f"{self.path}::{name}", "missing", f"pictures are 0 to {len(self._pictures) - 1}")
        return int(name)

    def _wrong(self, detail: str) -> Exception:
        return collection_error(self.path, f"{detail}; expected is a verification file of InsightFace")


class _Array:
    """Stands in for a numpy array while it is unpickled: checked, and never of objects."""

    def __init__(self, *_: Any) -> None:
        self.values: Any = None

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, data = state
        plain = kind.name in ("|u1", "u1", "|b1", "b1", "|i1", "i1", "<i8", "i8") and isinstance(data, bytes | str)
        if not plain or fortran or not isinstance(shape, tuple):
            raise ValueError("an array of another kind than uint8, bool or int64")
        raw = data.encode("latin1") if isinstance(data, str) else data
        self.values = np.frombuffer(raw, np.dtype(kind.name)).reshape(shape)


class _Kind:
    """Stands in for a numpy dtype."""

    def __init__(self, name: Any, *_: Any) -> None:
        self.name = name.decode("ascii") if isinstance(name, bytes) else str(name)

    def __setstate__(self, state: Any) -> None:
        if state[1] in (">", b">"):
            raise ValueError("an array of big-endian numbers")


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _scalar(kind: Any, data: Any) -> Any:
    raw = data.encode("latin1") if isinstance(data, str) else data
    return np.frombuffer(raw, np.dtype(kind.name))[0].item()


def _encode(text: Any, encoding: Any) -> bytes:
    """How Python 3 writes bytes for Python 2."""
    if encoding not in ("latin1", b"latin1"):
        raise ValueError(f"bytes in the encoding {encoding!r}")
    return str(text).encode("latin1")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): bytes,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
    **{(module, "_reconstruct"): _reconstruct for module in _NUMPY},
    **{(module, "scalar"): _scalar for module in _NUMPY},
}


def _plain(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.values.tolist() if value.values is not None and value.values.ndim == 1 else None
    return value


def _encoded(value: Any) -> bytes | None:
    if isinstance(value, bytes):
        return value
    if isinstance(value, _Array) and value.values is not None and value.values.dtype == np.uint8:
        return bytes(value.values.tobytes())
    return None
