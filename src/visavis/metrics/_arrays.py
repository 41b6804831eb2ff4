"""Validation shared by the metrics."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError


def similarities(value: Any, name: str) -> NDArray[Any]:
    """Similarities as a float array ``(N,)``, N >= 1; float16, float32 and float64 keep their dtype.

    Integers and wider floats become float64.

    Raises:
        UsageError: Not one-dimensional, empty, not numbers, or infinite values.
    """
    array = np.asarray(value)
    if array.dtype.kind in "iub" or (array.dtype.kind == "f" and array.dtype.itemsize > 8):
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


def people(people_a: Any, people_b: Any) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
    """Person codes of both sides of N pairs, intp ``(N,)`` each in 0..P-1, and the number of people P.

    Raises:
        UsageError: Not one-dimensional, empty, of two lengths, or of two kinds (numbers and text).
    """
    first, second = np.asarray(people_a), np.asarray(people_b)
    if first.ndim != 1 or first.shape != second.shape or first.size == 0:
        raise UsageError(
            f"people_a and people_b must be non-empty and name one person a pair; got {first.shape} and {second.shape}"
        )
    kinds = {"number" if array.dtype.kind in "biu" else array.dtype.kind for array in (first, second)}
    if len(kinds) != 1 or not kinds <= {"number", "U", "S"}:
        raise UsageError(f"people must be integers or text, the same on both sides; got {first.dtype}, {second.dtype}")
    names, codes = np.unique(np.concatenate([first, second]), return_inverse=True)
    return codes[: first.size], codes[first.size :], len(names)


def counts(events: Any, trials: Any) -> tuple[int, int]:
    """Two integers with ``0 <= events <= trials`` and ``trials >= 1``.

    Raises:
        UsageError: Anything else.
    """
    try:
        some, total = operator.index(events), operator.index(trials)
    except TypeError as error:
        raise UsageError(f"events and trials are whole numbers; got {events!r} and {trials!r}") from error
    if not 0 <= some <= total or total == 0:
        raise UsageError(f"events must lie in 0..trials and trials be at least 1; got {some} of {total}")
    return some, total


def level(value: Any) -> float:
    """A confidence level strictly inside 0..1.

    Raises:
        UsageError: Anything else.
    """
    number = float(value)
    if not 0.0 < number < 1.0:
        raise UsageError(f"level is a confidence strictly between 0 and 1, for example 0.95; got {value}")
    return number


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
