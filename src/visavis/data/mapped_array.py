"""Arrays in ``.npy`` files, mapped after a check that needs no trust in the file."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(r"\{'descr': '([^']{1,8})', 'fortran_order': False, 'shape': \(([0-9, ]{0,80})\), \} *\n")


def map_array(path: Path, kind: Any, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """The array in a file that ``numpy.save`` wrote, mapped, read-only.

    ``numpy.load`` raises whatever its parsers raise on a damaged header; here everything that is not as it should be
    is one error, and a file that is too short or too long is refused.

    Args:
        path: The file.
        kind: Its dtype.
        shape: Its shape; None stands for any length of 1 or more.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds something else.
    """
    name = path.name
    with path.open("rb") as file:
        start = file.read(len(_MAGIC) + 2)
        length = int.from_bytes(start[len(_MAGIC) :], "little")
        header = _HEADER.fullmatch(file.read(length).decode("latin1"))
    if not start.startswith(_MAGIC) or header is None:
        raise ValueError(f"{name} is not an array as numpy writes it")
    found = tuple(int(word) for word in header[2].split(",") if word.strip())
    wanted = np.dtype(kind)
    fits = len(found) == len(shape) and all(
        length > 0 and expected in (None, length) for length, expected in zip(found, shape, strict=False)
    )
    if header[1] != wanted.str or not fits:
        raise ValueError(f"{name} is {header[1]} {found}; expected {wanted.str} {shape}")
    offset = len(start) + length
    size = offset + math.prod(found) * wanted.itemsize
    if path.stat().st_size != size:
        raise ValueError(f"{name} has {path.stat().st_size} bytes; its header asks for {size}")
    return np.asarray(np.memmap(path, wanted, "r", offset, found))
