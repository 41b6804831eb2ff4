"""Image embeddings in an .npy file that is larger than the memory one wants to spend."""

from __future__ import annotations

import math
import os
import secrets
import tokenize
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError, UsageError
from visavis.io.files import open_regular
from visavis.io.npz import array_header

_DAMAGED = (ValueError, TypeError, EOFError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError)
"""What NumPy raises on headers that are none."""


class EmbeddingFile:
    """Rows of an ``.npy`` array ``(N, D)`` of float16, float32 or float64, read some at a time.

    The file is read, not mapped: mapped pages count as memory of the process. A row that is not finite or all zero is
    a failed image. Use it in a ``with`` block.

    Args:
        path: The file.

    Attributes:
        path: The file.
        rows: N.
        dimension: D.

    Raises:
        UnreadableError: The file cannot be read.
        InputError: It is no such array, or cut.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._file: BinaryIO = os.fdopen(open_regular(self.path), "rb", buffering=0)
        try:
            shape, fortran, kind = _header(self._file)
            if fortran or len(shape) != 2 or min(shape) < 1 or kind.kind != "f" or kind.itemsize not in (2, 4, 8):
                raise ValueError(f"it holds {kind} {shape}{' in Fortran order' if fortran else ''}")
            self.rows, self.dimension = shape
            self._kind, self._start = kind, self._file.tell()
        except _DAMAGED as error:
            self._file.close()
            raise InputError(
                f"{path} is not a file of embeddings ({error}); expected is a float .npy array, a row an image",
                reason="protocol",
            ) from error

    def read(self, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """The rows of these numbers, float32 ``(len(rows), D)``; neighbours are read at once.

        Raises:
            UsageError: A row that is not there.
            InputError: The file ended early.
        """
        if len(rows) and not (rows.min() >= 0 and rows.max() < self.rows):
            raise UsageError(f"{self.path} has the rows 0 to {self.rows - 1}; asked for {rows.min()} to {rows.max()}")
        found = np.empty((len(rows), self.dimension), self._kind)
        starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
        size = self.dimension * self._kind.itemsize
        for start, stop in zip(starts, np.append(starts, len(rows))[1:], strict=True):
            self._file.seek(self._start + int(rows[start]) * size)
            _fill(self._file, found[start:stop], self.path)
        return found.astype(np.float32, copy=False)

    def __len__(self) -> int:
        return self.rows

    def __enter__(self) -> EmbeddingFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()


class EmbeddingWriter:
    """Writes a float32 ``.npy`` array row by row; the path holds all of it or what it held before.

    Args:
        path: The file.
        rows: N.
        dimension: D.

    Raises:
        UsageError: The path cannot be written.
    """

    def __init__(self, path: str | Path, *, rows: int, dimension: int) -> None:
        self._path = Path(path)
        self._draft = self._path.with_name(f".{self._path.name[:100]}.{secrets.token_hex(6)}.part")
        self._left, self._dimension = rows, dimension
        try:
            self._file = self._draft.open("xb", buffering=0)
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} cannot be written ({error}); name a file in a folder that is there") from error
        header = BytesIO()
        told = {"descr": "<f4", "fortran_order": False, "shape": (rows, dimension)}
        np.lib.format.write_array_header_1_0(header, told)
        try:
            self._append(header.getvalue())
        except UsageError:
            self._discard()
            raise

    def write(self, rows: NDArray[np.float32]) -> None:
        """Append rows ``(B, D)``.

        Raises:
            UsageError: The disk is full, or fails.
        """
        self._left -= len(rows)
        self._append(np.ascontiguousarray(rows.reshape(-1, self._dimension), "<f4").tobytes())

    def __enter__(self) -> EmbeddingWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self._file.close()
            if kind is None and self._left == 0:
                self._draft.replace(self._path)
        except OSError as failure:
            raise self._failed(failure) from failure
        finally:
            self._draft.unlink(missing_ok=True)

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while len(view):
                view = view[self._file.write(view) :]
        except OSError as error:
            raise self._failed(error) from error

    def _discard(self) -> None:
        with suppress(OSError):
            self._file.close()
        self._draft.unlink(missing_ok=True)

    def _failed(self, error: OSError) -> UsageError:
        return UsageError(
            f"{self._path} cannot be written ({error.strerror or error}); name a file on a disk with room"
        )


def read_column(path: str | Path, length: int) -> NDArray[np.float32]:
    """A float ``.npy`` array of one number an image.

    Raises:
        UnreadableError: The file cannot be read.
        InputError: It holds something else.
    """
    with os.fdopen(open_regular(str(path)), "rb") as file:
        try:
            shape, _, kind = _header(file)
            if kind.kind not in "fiu" or shape != (length,):
                raise ValueError(f"it holds {kind} {shape}")
            values = np.frombuffer(file.read(length * kind.itemsize), kind)
        except _DAMAGED as error:
            raise InputError(
                f"{path} is not a column for these images ({error}); expected is an .npy array of numbers, one an "
                f"image: ({length},)",
                reason="protocol",
            ) from error
    return values.astype(np.float32)


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Shape, order and kind of an array of which all bytes are there; the file stands at the first."""
    shape, fortran, kind = array_header(file)
    need = file.tell() + math.prod(shape) * kind.itemsize
    have = os.fstat(file.fileno()).st_size
    if have < need:
        raise ValueError(f"it is cut: {have} of {need} bytes")
    return shape, fortran, kind


def _fill(file: BinaryIO, rows: NDArray[Any], path: str) -> None:
    view = memoryview(rows.data).cast("B")
    while len(view):
        count = file.readinto(view)  # type: ignore[attr-defined]
        if not count:
            raise InputError(f"{path} ended early; it was changed while it was read", reason="protocol")
        view = view[count:]
