"""Vectors: the float32 rows of a segment, kept with four bytes a value, or with one where that loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.types.codes import dequantise, quantise

ReadRows = Callable[[int, int], NDArray[np.float32]]
"""The float32 rows from one to before another ``(M, D)``."""


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """Rows that are read as float32, whatever they are kept as.

    Attributes:
        kept: float32 ``(N, D)``; or int8 ``(N, D)``, one byte a value, see `visavis.types.codes.dequantise`.
    """

    kept: NDArray[Any]

    def __len__(self) -> int:
        return len(self.kept)

    def read(self, rows: slice | NDArray[Any]) -> NDArray[np.float32]:
        """float32 ``(M, D)``, C order."""
        return unpacked(np.ascontiguousarray(self.kept[rows]))


def unpacked(kept: NDArray[Any]) -> NDArray[np.float32]:
    """float32 rows of what is kept; rows of zeros, of which the content was wiped, are zeros."""
    if kept.dtype != np.int8:
        return np.asarray(kept)
    return np.nan_to_num(dequantise(kept), copy=False, nan=0.0)


def packed(vectors: NDArray[np.float32]) -> NDArray[np.int8] | None:
    """One byte a value when that gives the very same float32 vectors again, as it does for templates that were so kept.

    Args:
        vectors: ``(N, D)``.

    Returns:
        int8 ``(N, D)``, or None when a value would differ.
    """
    if not np.abs(vectors).max(axis=1, initial=0.0).all():
        return None
    codes = quantise(vectors)
    return codes if np.array_equal(dequantise(codes), vectors) else None
