"""Validation shared by the frozen column types."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError


def column(value: Any, name: str, shape: tuple[int | None, ...], dtype: type[np.generic] = np.float32) -> NDArray[Any]:
    """A read-only array of the declared shape and dtype.

    Args:
        value: Anything numpy can read.
        name: What the array is called in error messages.
        shape: Expected shape; ``None`` matches any length.
        dtype: Stored dtype.

    Raises:
        UsageError: The shape differs, or the values are not numbers.
    """
    try:
        array = np.array(value, dtype=dtype, order="C")
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} must be an array of {np.dtype(dtype).name}; got {type(value).__name__}") from error
    fits = array.ndim == len(shape) and all(
        want is None or have == want for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = "(" + ", ".join("N" if side is None else str(side) for side in shape) + ")"
        raise UsageError(f"{name} must have shape {wanted}; got {array.shape}")
    array.setflags(write=False)
    return array


def rows(index: Any, length: int) -> NDArray[np.intp]:
    """Row numbers selected by an integer, a slice, a list of rows or a boolean mask.

    Raises:
        UsageError: A mask of another length, or rows out of range.
    """
    if isinstance(index, int | np.integer):
        number = int(index)
        if not -length <= number < length:
            raise UsageError(f"row {number} is out of range for {length} rows")
        return np.array([number % length], dtype=np.intp)
    if isinstance(index, slice):
        return np.arange(length, dtype=np.intp)[index]
    wanted = np.asarray(index)
    if wanted.dtype == np.bool_:
        if wanted.shape != (length,):
            raise UsageError(f"a mask must have shape ({length},); got {wanted.shape}")
        return np.flatnonzero(wanted)
    if wanted.size == 0:
        return np.empty(0, dtype=np.intp)
    if wanted.dtype.kind not in "iu" or wanted.ndim != 1:
        raise UsageError(
            f"rows are selected by an integer, a slice, a list of integers or a mask; got {wanted.dtype} {wanted.shape}"
        )
    if wanted.min() < -length or wanted.max() >= length:
        raise UsageError(f"rows {wanted.min()}..{wanted.max()} are out of range for {length} rows")
    return wanted.astype(np.intp) % max(length, 1)
