"""The crops of a pack while they are written."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis.data.pack import PIXELS

_HEADER = 128


class PixelFile:
    """``pixels.npy`` while it grows: crops go to their rows, the header is written last.

    Args:
        folder: Where the file is made, or found again.
        size: Side of a crop in pixels.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self._row = size * size * 3
        self._size = size
        self._file = os.fdopen(os.open(folder / PIXELS, os.O_RDWR | os.O_CREAT, 0o644), "r+b")

    def rows(self) -> int:
        """The number of whole rows in the file."""
        return max(0, self._file.seek(0, os.SEEK_END) - _HEADER) // self._row

    def put(self, row: int, pixels: NDArray[np.uint8]) -> None:
        """Write uint8 crops ``(n, S, S, 3)`` from a row on."""
        self._file.seek(_HEADER + row * self._row)
        self._file.write(np.ascontiguousarray(pixels).data)

    def sync(self) -> None:
        """Wait until what was put is on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def finish(self, count: int) -> None:
        """Write the header for so many rows, cut what follows them, and close."""
        words = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {(count, self._size, self._size, 3)}, }}".encode()
        self._file.truncate(_HEADER + count * self._row)
        self._file.seek(0)
        self._file.write(
            b"\x93NUMPY\x01\x00" + (_HEADER - 10).to_bytes(2, "little") + words.ljust(_HEADER - 11) + b"\n"
        )
        self.sync()
        self.close()

    def close(self) -> None:
        """Close the file as it is."""
        self._file.close()


def digests(pixels: NDArray[np.uint8]) -> list[bytes]:
    """sha256 of the bytes of each crop."""
    return [hashlib.sha256(np.ascontiguousarray(crop).data).digest() for crop in pixels]
