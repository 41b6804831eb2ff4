"""Many short texts in two files, read one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis.data.mapped_array import map_array

_ERRORS = "surrogateescape"


class TextColumn:
    """The texts of a column, ``NAME.txt`` (UTF-8, one after the other) with their ends in ``NAME.npy``.

    Args:
        texts: uint8 ``(T,)``, all bytes.
        ends: int64 ``(N,)``, where each text ends.
    """

    def __init__(self, texts: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self._texts, self._ends = texts, ends

    @classmethod
    def open(cls, folder: Path, name: str) -> TextColumn:
        """Map the files of a column.

        Raises:
            OSError: A file is missing or cannot be read.
            ValueError: The files do not fit together.
        """
        ends = map_array(folder / f"{name}.npy", np.int64, (None,))
        size = (folder / f"{name}.txt").stat().st_size
        if ends[-1] != size or ends[0] < 0 or (np.diff(ends) < 0).any():
            raise ValueError(f"{name}.txt has {size} bytes; {name}.npy says {ends[-1]}")
        texts = np.memmap(folder / f"{name}.txt", np.uint8, "r") if size else np.empty(0, np.uint8)
        return cls(np.asarray(texts), ends)

    @staticmethod
    def write(folder: Path, name: str, texts: Iterable[str]) -> None:
        """Write the files of a column.

        Raises:
            OSError: They cannot be written.
        """
        encoded = [text.encode("utf-8", _ERRORS) for text in texts]
        (folder / f"{name}.txt").write_bytes(b"".join(encoded))
        np.save(folder / f"{name}.npy", np.cumsum([len(text) for text in encoded], dtype=np.int64))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, row: int) -> str:
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        row %= len(self)
        start = int(self._ends[row - 1]) if row else 0
        return self._texts[start : int(self._ends[row])].tobytes().decode("utf-8", _ERRORS)

    def __iter__(self) -> Iterator[str]:
        return (self[row] for row in range(len(self)))
