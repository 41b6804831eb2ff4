"""Validation shared by the metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError


def similarities(value: Any, name: str) -> NDArray[Any]:
    """Similarities as a float array ``(N,)``, N >= 1; float16, float32 and float64 keep their dtype.

    Raises:
        UsageError: Not one-dimensional, empty, not numbers, or infinite values.
    """
    array = np.asarray(value)
    if array.dtype.kind in "iub":
        array = array.astype(np.float64)
    if array.dtype.kind != "f" or array.ndim != 1 or array.size == 0:
        raise UsageError(
            f"{name} must be a non-empty one-dimensional array of numbers; got {array.dtype} {array.shape}"
        )
    if np.isinf(array).any():
        raise UsageError(f"{name} must be finite, or NaN for a failed acquisition; got infinite values")
    return array


def weights(value: Any, length: int, name: str = "weights") -> NDArray[np.float64]:
    """Weights as float64 ``(length,)``; ones when ``value`` is None.

    Raises:
        UsageError: Another shape, negative or not finite.
    """
    if value is None:
        return np.ones(length)
    array = np.asarray(value, dtype=np.float64)
    if array.shape != (length,):
        raise UsageError(f"{name} must have shape ({length},), one weight a pair; got {array.shape}")
    if not np.isfinite(array).all() or (array < 0).any():
        raise UsageError(f"{name} must be finite and not negative")
    return array


def flags(value: Any, length: int, name: str) -> NDArray[np.bool_]:
    """Booleans ``(length,)``; the numbers 0 and 1 are accepted.

    Raises:
        UsageError: Another shape, or values other than 0 and 1.
    """
    array = np.asarray(value)
    if array.shape != (length,) or array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
        raise UsageError(f"{name} must hold {length} booleans; got {array.dtype} {array.shape}")
    return array.astype(np.bool_)


def rate(value: Any, name: str) -> float:
    """A rate in 0..1.

    Raises:
        UsageError: Not a number in 0..1.
    """
    number = float(value)
    if not 0.0 <= number <= 1.0:
        raise UsageError(f"{name} is a rate between 0 and 1, for example 1e-3; got {value}")
    return number


def share(part: float, total: float) -> float:
    """``part / total``, or NaN where the total is zero: a rate over no pairs is undefined."""
    return float(part) / float(total) if total > 0 else float("nan")


def allowed(rate: float, trials: int) -> int:
    """The largest count whose share of ``trials`` does not exceed ``rate``, exactly.

    The comparison is ``count / trials <= rate`` in float64: division is correctly rounded, so 3 of
    3,000 meets a target of 1e-3, which ``floor(1e-3 * 3000)`` need not.
    """
    count = min(int(rate * trials), trials)
    while count < trials and (count + 1) / trials <= rate:
        count += 1
    while count > 0 and count / trials > rate:
        count -= 1
    return count


def just_above(value: Any) -> float:
    """The next representable number above ``value`` in its own dtype."""
    return float(np.nextafter(value, np.array(np.inf, dtype=value.dtype)))
