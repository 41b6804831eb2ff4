"""Scan codes: what a scan reads instead of float32 rows, and how far each row lies from what it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.gallery.index.bounds import summation_error
from visavis.types.codes import LARGEST

Scan = Literal["int8", "float16", "float32"]
"""The format that is scanned; the answer is the same with each."""

HARD_SHARE = 1 / 1024
"""Most rows of a segment, as a share, that are scored in float32 every time because their codes fit them badly."""

_ZERO = 128
_QUANTILES = (0.5, 0.75, 0.9, 0.97, 0.99, 0.999, 1.0)
_DTYPES: dict[str, Any] = {"int8": np.uint8, "float16": np.float16, "float32": np.float32}
_TINY = 1e-30


@dataclass(frozen=True, slots=True, eq=False)
class ScanProbes:
    """Probes as a scan sees them.

    Attributes:
        vectors: float32 ``(N, D)``.
        codes: float32 ``(N, D)``, what is scanned with: whole numbers -127..127 for int8, else the vectors.
        units: float64 ``(N,)``: length of one step of the codes.
        errors: float64 ``(N,)``: length of the difference between vector and codes times unit.
        lengths: float64 ``(N,)``.
    """

    vectors: NDArray[np.float32]
    codes: NDArray[np.float32]
    units: NDArray[np.float64]
    errors: NDArray[np.float64]
    lengths: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.vectors)


def scan_dtype(scan: Scan) -> Any:
    """The dtype of codes: int8 codes are uint8 with 128 for zero, as FAISS keeps them.

    Raises:
        UsageError: Another word.
    """
    if scan not in _DTYPES:
        raise UsageError(f"a scan is one of {', '.join(_DTYPES)}; got {scan!r}")
    return _DTYPES[scan]


def scan_probes(vectors: NDArray[np.float32], scan: Scan) -> ScanProbes:
    """Probes for a scan; int8 ones have a scale of their own, the largest coordinate of each.

    Args:
        vectors: Finite ``(N, D)``.
        scan: The format.
    """
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1)
    if scan != "int8":
        return ScanProbes(vectors, vectors, np.ones(len(vectors)), np.zeros(len(vectors)), lengths)
    units = np.maximum(np.abs(wide).max(axis=1, initial=0.0), _TINY) / LARGEST
    steps = np.rint(wide / units[:, None])
    errors = np.linalg.norm(wide - steps * units[:, None], axis=1)
    return ScanProbes(vectors, steps.astype(np.float32), units, errors, lengths)


def scan_scale(sample: NDArray[np.float32]) -> float:
    """The step of int8 codes that serves almost all rows best.

    A large step rounds coarsely, a small one cuts large coordinates. Steps that just hold the largest coordinate of a
    share of the rows are tried; the one is taken for which the error that is exceeded by one row in 1,024 is smallest.

    Args:
        sample: Some of the rows ``(N, D)``, at least one.
    """
    largest = np.abs(sample).max(axis=1)
    tried = np.unique(np.maximum(np.quantile(largest, _QUANTILES), _TINY)) / LARGEST
    worst = [np.quantile(_int8(sample, step)[1], 1 - HARD_SHARE) for step in tried]
    return float(tried[int(np.argmin(worst))])


def scan_codes(vectors: NDArray[np.float32], scan: Scan, *, step: float) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Codes of rows, and the length of each row's error, rounded up.

    Args:
        vectors: ``(N, D)``.
        scan: The format.
        step: Of int8, see `scan_scale`; other formats have none.

    Returns:
        ``(N, D)`` of `scan_dtype`, and float32 ``(N,)``.
    """
    if scan == "float32":
        return vectors, np.zeros(len(vectors), np.float32)
    if scan == "int8":
        codes, errors = _int8(vectors, step)
    else:
        codes = vectors.astype(np.float16)
        errors = np.linalg.norm(vectors.astype(np.float64) - codes, axis=1)
    return codes, np.nextafter(errors.astype(np.float32), np.float32(np.inf))


def _int8(vectors: NDArray[np.float32], step: float) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    steps = np.clip(np.rint(vectors * np.float32(1 / step)), -LARGEST, LARGEST)
    missed = vectors - steps.astype(np.float64) * step  # measured with the steps taken, however they were found
    errors = np.sqrt(np.einsum("nd,nd->n", missed, missed))
    return (steps + _ZERO).astype(np.uint8), errors


def scan_rounding(scan: Scan, dimension: int) -> float:
    """Relative rounding error of a scanned product, see `visavis.gallery.index.bounds.summation_error`."""
    return summation_error(dimension, largest_step=LARGEST if scan == "int8" else None)


def hard_rows(errors: NDArray[np.float32]) -> NDArray[np.int64]:
    """Rows whose error is far above that of the rest: more than a quarter, and at most one row in 1,024.

    Args:
        errors: float32 ``(N,)``.
    """
    most = int(len(errors) * HARD_SHARE)
    if not most:
        return np.empty(0, np.int64)
    worst = np.argpartition(errors, len(errors) - most)[-most:]
    limit = 1.25 * float(np.median(errors))
    return np.sort(worst[errors[worst] > limit]).astype(np.int64)
