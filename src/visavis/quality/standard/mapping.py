"""From raw values to the 0..100 of ISO/IEC 29794-5: the functions of its reference implementation, OFIQ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """``height * (offset + sign / (1 + exp((centre - raw) / width)))``, rounded and cut to 0..100.

    Attributes:
        centre: Raw value half way, OFIQ's ``x0``.
        width: OFIQ's ``w``.
        height: OFIQ's ``h``.
        offset: OFIQ's ``a``.
        sign: OFIQ's ``s``.
    """

    centre: float
    width: float
    height: float = 100.0
    offset: float = 0.0
    sign: float = 1.0

    def __call__(self, raw: ArrayLike) -> NDArray[np.float64]:
        """float64 of the same shape; NaN stays NaN.

        Example:
            >>> Sigmoid(70, 20)([30.0, 70.0, 110.0]).tolist()
            [12.0, 50.0, 88.0]
        """
        return rounded(self.height * (self.offset + self.sign * logistic(raw, self.centre, self.width)))


def logistic(raw: ArrayLike, centre: float, width: float) -> NDArray[np.float64]:
    """``1 / (1 + exp((centre - raw) / width))``."""
    exponent = (centre - np.asarray(raw, np.float64)) / width
    value: NDArray[np.float64] = 1 / (1 + np.exp(np.clip(exponent, -700, 700)))
    return value


def rounded(score: ArrayLike) -> NDArray[np.float64]:
    """To whole numbers, halves away from zero as in C++, and into 0..100; NaN stays NaN."""
    values = np.asarray(score, np.float64)
    whole: NDArray[np.float64] = np.clip(np.sign(values) * np.floor(np.abs(values) + 0.5), 0, 100)
    return whole


def luminance_mean_score(raw: ArrayLike) -> NDArray[np.float64]:
    """Neither dark nor bright: a rise about 0.2 and a fall about 0.8."""
    return rounded(100 * logistic(raw, 0.2, 0.05) * (1 - logistic(raw, 0.8, 0.05)))


def luminance_variance_score(raw: ArrayLike) -> NDArray[np.float64]:
    """``100 sin(pi v / (v + 1))`` of ``v = 60 raw``."""
    steep = 60 * np.asarray(raw, np.float64)
    return rounded(100 * np.sin(np.pi * steep / (steep + 1)))


def over_exposure_score(raw: ArrayLike) -> NDArray[np.float64]:
    """``1 / (raw + 0.01)``."""
    return rounded(1 / (np.asarray(raw, np.float64) + 0.01))


def dynamic_range_score(raw: ArrayLike) -> NDArray[np.float64]:
    """``12.5 raw``: 100 at the 8 bits that a level can hold."""
    return rounded(12.5 * np.asarray(raw, np.float64))


def illumination_score(raw: ArrayLike) -> NDArray[np.float64]:
    """``100 raw^0.3``."""
    return rounded(100 * np.power(np.asarray(raw, np.float64), 0.3))


def angle_score(raw: ArrayLike) -> NDArray[np.float64]:
    """``100 cos^2`` of degrees; 0 from a right angle on."""
    return rounded(100 * np.maximum(np.cos(np.radians(np.asarray(raw, np.float64))), 0) ** 2)


def head_size_score(raw: ArrayLike) -> NDArray[np.float64]:
    """Falls on both sides of 0.45."""
    return Sigmoid(0.0, 0.05, height=200, offset=1, sign=-1)(np.abs(np.asarray(raw, np.float64) - 0.45))
