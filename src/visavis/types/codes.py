"""Templates of one byte a value: codes, what they stand for, and their exact products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError

LARGEST = 127
"""Codes are -127..127; -128 is not used, so that the negative of a code is a code."""

_LONGEST = 1 << 16
_EXACT_FLOAT32 = (1 << 24) // LARGEST**2
_BLOCK = 1 << 14
_SMALLEST = 1e-30


def code_scale(vectors: NDArray[np.floating]) -> float:
    """The largest absolute coordinate of some unit vectors: the scale of a model, found on a calibration set.

    Schroff et al. 2015, FaceNet, name 128 bytes a face and no scheme; this one is ours. A fixed scale of 1 would leave
    one to two of the eight bits unused: the largest of 128 coordinates is about 0.4.

    Args:
        vectors: ``(N, D)``; rows that are not finite, failed ones, are left out.

    Returns:
        In (0, 1].

    Raises:
        UsageError: No row that is finite and not zero.
    """
    values = _matrix(vectors)
    good = values[np.isfinite(values).all(axis=1)]
    largest = float(np.abs(good).max()) if good.size else 0.0
    if largest == 0:
        raise UsageError(f"a scale needs one template that did not fail; got {len(values)} rows without any")
    return largest


def quantise(vectors: NDArray[np.floating], *, scale: float | None = None) -> NDArray[np.int8]:
    """One byte a coordinate: ``round(127 x / scale)``, at most 127 away from 0.

    What a code keeps is a direction, see `dequantise`. So each row may have a scale of its own, its largest coordinate,
    without storing it: no coordinate is cut, and every row uses all 255 values.

    Args:
        vectors: Unit vectors ``(N, D)``, D at most 65,536; a row that is not finite becomes zeros.
        scale: One for all rows, see `code_scale`, beyond which coordinates are cut; that of each row when None.

    Returns:
        int8 ``(N, D)``.

    Raises:
        UsageError: Another shape, or a scale that is not above 0 or so large that a vector vanishes.
    """
    values = _matrix(vectors)
    if scale is not None:
        check_scale(scale)
    lost = ~np.isfinite(values).all(axis=1)
    kept = np.where(lost[:, None], 0.0, values)
    reach = np.maximum(np.abs(kept).max(axis=1, keepdims=True), _SMALLEST) if scale is None else scale
    steps = np.rint(kept * (LARGEST / reach))
    codes: NDArray[np.int8] = np.clip(steps, -LARGEST, LARGEST).astype(np.int8)
    if not (codes.any(axis=1) | lost).all():
        if scale is None:
            raise UsageError("a vector is zero and has no direction; leave it out, or make it NaN if it failed")
        raise UsageError(f"a vector is zero, or zero in every byte at the scale {scale}; take none, or a smaller one")
    return codes


def dequantise(codes: NDArray[np.int8]) -> NDArray[np.float32]:
    """The unit vectors of codes, float32 ``(N, D)``; a row of zeros becomes NaN.

    Vectors are divided by their length again after decoding, and so the scale drops out.

    Args:
        codes: int8 ``(N, D)``.
    """
    lengths = code_lengths(codes)
    with np.errstate(invalid="ignore"):
        return (check_codes(codes) / lengths[:, None]).astype(np.float32)


def code_products(left: NDArray[np.int8], right: NDArray[np.int8]) -> NDArray[np.int32]:
    """Exact dot products of all pairs of codes.

    They are computed in floating point where every partial sum is a whole number that it holds exactly: in float32
    up to 1,040 values, in float64 beyond.

    Args:
        left: int8 ``(N, D)``.
        right: int8 ``(M, D)``.

    Returns:
        int32 ``(N, M)``.

    Raises:
        UsageError: Not codes, or of two lengths.
    """
    one, two = check_codes(left), check_codes(right)
    if one.shape[1] != two.shape[1]:
        raise UsageError(f"codes of one length are compared; got {one.shape[1]} and {two.shape[1]} values")
    exact: Any = np.float32 if one.shape[1] <= _EXACT_FLOAT32 else np.float64
    out = np.empty((len(one), len(two)), np.int32)
    other = two.astype(exact).T
    for start in range(0, len(one), _BLOCK):
        out[start : start + _BLOCK] = one[start : start + _BLOCK].astype(exact) @ other
    return out


def code_lengths(codes: NDArray[np.int8]) -> NDArray[np.float64]:
    """Euclidean lengths of codes ``(N,)``."""
    wide = check_codes(codes).astype(np.int32)
    return np.asarray(np.sqrt(np.einsum("nd,nd->n", wide, wide).astype(np.float64)))


def code_similarities(left: NDArray[np.int8], right: NDArray[np.int8]) -> NDArray[np.float32]:
    """Cosines of all pairs of codes without decoding them, float32 ``(N, M)``; NaN where a side is all zero.

    Args:
        left: int8 ``(N, D)``.
        right: int8 ``(M, D)``.
    """
    lengths = code_lengths(left)[:, None] * code_lengths(right)[None]
    with np.errstate(invalid="ignore"):
        return (code_products(left, right) / lengths).astype(np.float32)


def check_scale(scale: float) -> None:
    """Refuse a scale that is not above 0 and finite.

    Raises:
        UsageError: It is not.
    """
    if not (scale > 0 and math.isfinite(scale)):
        raise UsageError(f"the scale of codes is above 0, the largest coordinate of a calibration set; got {scale}")


def check_codes(codes: NDArray[np.int8]) -> NDArray[np.int8]:
    """Codes as they should be: int8 ``(N, D)``, D from 1 to 65,536, without -128.

    Raises:
        UsageError: They are not.
    """
    array = np.asarray(codes)
    if array.dtype != np.int8 or array.ndim != 2 or not 1 <= array.shape[1] <= _LONGEST:
        raise UsageError(f"codes are int8 (N, D) with D from 1 to {_LONGEST}; got {array.dtype} {array.shape}")
    return array


def _matrix(vectors: NDArray[np.floating]) -> NDArray[np.floating]:
    array = np.asarray(vectors)
    if array.dtype.kind != "f" or array.ndim != 2 or not 1 <= array.shape[1] <= _LONGEST:
        raise UsageError(f"vectors are floats (N, D) with D from 1 to {_LONGEST}; got {array.dtype} {array.shape}")
    return array
