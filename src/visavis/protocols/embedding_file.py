"""Image embeddings in an .npy file that is larger than the memory one wants to spend."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError, UsageError
from visavis.io.files import open_regular


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
            need = self._start + self.rows * self.dimension * kind.itemsize
            have = os.fstat(self._file.fileno()).st_size
            if have < need:
                raise ValueError(f"it is cut: {have} of {need} bytes")
        except (ValueError, EOFError, SyntaxError) as error:
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
            self._file = self._draft.open("xb")
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} cannot be written ({error}); name a file in a folder that is there") from error
        header = {"descr": "<f4", "fortran_order": False, "shape": (rows, dimension)}
        np.lib.format.write_array_header_1_0(self._file, header)

    def write(self, rows: NDArray[np.float32]) -> None:
        """Append rows ``(B, D)``."""
        self._left -= len(rows)
        self._file.write(np.ascontiguousarray(rows.reshape(-1, self._dimension), "<f4").tobytes())

    def __enter__(self) -> EmbeddingWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        if kind is None and self._left == 0:
            self._draft.replace(self._path)
        else:
            self._draft.unlink(missing_ok=True)


def read_column(path: str | Path, length: int) -> NDArray[np.float32]:
    """A float ``.npy`` array of one number an image.

    Raises:
        UnreadableError: The file cannot be read.
        InputError: It holds something else.
    """
    with os.fdopen(open_regular(str(path)), "rb") as file:
        try:
            values = np.load(file, allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise InputError(f"{path} is not an .npy file ({error}); use an intact one", reason="protocol") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu" or values.shape != (length,):
        told = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else "several arrays"
        raise InputError(f"{path} holds {told}; expected is one number an image, ({length},)", reason="protocol")
    return values.astype(np.float32)


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of the format")
    return read(file)


def _fill(file: BinaryIO, rows: NDArray[Any], path: str) -> None:
    view = memoryview(rows.data).cast("B")
    while len(view):
        count = file.readinto(view)  # type: ignore[attr-defined]
        if not count:
            raise InputError(f"{path} ended early; it was changed while it was read", reason="protocol")
        view = view[count:]
