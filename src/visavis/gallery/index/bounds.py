r"""How far a fast product can lie from the similarity it stands for.

A scan replaces the probe q by q' and a row x by x' (whole numbers times a step, or half precision), and computes their
product in float32. Then

.. math::

    |q \cdot x - q' \cdot x'| = |q \cdot (x - x') + (q - q') \cdot x'|
                              \le \|q\| \, \|x - x'\| + \|q - q'\| \, \|x'\|

by the inequality of Cauchy and Schwarz. The norms of the errors are measured, not estimated. To this comes rounding: a
sum of D float32 products in any order is off by at most :math:`\gamma_D \|q'\| \|x'\|`,
:math:`\gamma_n = n u / (1 - n u)`, :math:`u = 2^{-24}` (Higham 2002, Accuracy and Stability of Numerical Algorithms,
section 3.1, eq. 3.5); sums of whole numbers below :math:`2^{24}` are exact. The similarity itself is rounded once.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

UNIT = 2.0**-24
"""Half the distance from 1 to the next float32."""

_WHOLE = 1 << 24
_LAST = 4 * UNIT
"""The float32 rounding of a similarity and of the bound, and the float64 sum, with room to spare."""


def summation_error(dimension: int, *, largest_step: int | None = None) -> float:
    """Relative rounding error of a float32 product of D values, as a share of the lengths of both.

    Args:
        dimension: D.
        largest_step: The values are whole numbers up to this; None when they are not.
    """
    if largest_step is not None and dimension * largest_step**2 < _WHOLE:
        return _LAST
    return dimension * UNIT / (1 - dimension * UNIT) + _LAST


def product_bound(
    probe_length: Any, probe_error: Any, row_error: Any, *, longest: float, rounding: float
) -> NDArray[Any] | Any:
    """The most that a scanned product lies from its similarity; numbers or arrays that broadcast.

    Args:
        probe_length: Length of the probe.
        probe_error: Length of the difference between the probe and what was scanned with.
        row_error: The same of a row.
        longest: Length of the longest row.
        rounding: See `summation_error`.
    """
    reach = longest + row_error
    return probe_length * row_error + probe_error * reach + rounding * (probe_length + probe_error) * reach
