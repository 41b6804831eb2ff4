"""The regularised incomplete beta function and its inverse."""

from __future__ import annotations

import math

from visavis.errors import InternalError

_TINY = 1e-300


def incomplete(a: float, b: float, x: float) -> float:
    """``I_x(a, b)`` for ``a, b > 0`` and x in 0..1.

    The continued fraction DLMF 8.17.22 by the modified Lentz algorithm (Thompson and Barnett 1986), used
    on the side of the mean where it converges in ``O(sqrt(max(a, b)))`` steps.
    """
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    front = math.exp(log_front)
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1.0 - front * _fraction(b, a, 1.0 - x) / b


def beta_quantile(probability: float, a: float, b: float) -> float:
    """The x with ``I_x(a, b) = probability``, by bisection to 13 significant digits."""
    low, high = 0.0, 1.0
    while high - low > 1e-13 * high:
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        if incomplete(a, b, middle) < probability:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _fraction(a: float, b: float, x: float) -> float:
    steps = 1000 + 20 * int(math.sqrt(max(a, b)))
    numerator = 1.0
    denominator = 1.0 / _away(1.0 - (a + b) * x / (a + 1.0))
    value = denominator
    for m in range(1, steps):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        denominator = 1.0 / _away(1.0 + even * denominator)
        numerator = _away(1.0 + even / numerator)
        value *= denominator * numerator
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        denominator = 1.0 / _away(1.0 + odd * denominator)
        numerator = _away(1.0 + odd / numerator)
        step = denominator * numerator
        value *= step
        if abs(step - 1.0) < 1e-15:
            return value
    raise InternalError(f"the incomplete beta function did not converge at a={a}, b={b}, x={x}; please report it")


def _away(value: float) -> float:
    """``value``, kept off zero."""
    return value if abs(value) > _TINY else _TINY
