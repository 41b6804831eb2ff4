"""The blur ladder: which way a measure of quality points, and whether it points anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.metrics.rank_correlation import rank_correlation

SIGMAS = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Gaussian blur of each step, in pixels of a crop of 112."""
LEAST_CORRELATION = 0.2
"""A measure whose rank correlation with sharpness is smaller is no measure of quality."""

Measure = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From uint8 RGB crops ``(N, H, W, 3)`` to one value each."""


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """What a measure says of the same faces, blurred more and more.

    Attributes:
        sigmas: Of the blur, ascending from the sharpest.
        values: float32 ``(steps, N)``.
    """

    sigmas: tuple[float, ...]
    values: NDArray[np.float32]

    @property
    def correlation(self) -> float:
        """Spearman's correlation of value and sharpness over all faces and steps; 0 for a constant measure."""
        sharpness = np.repeat(-np.arange(len(self.sigmas), dtype=np.float64), self.values.shape[1])
        found = rank_correlation(self.values.ravel(), sharpness)
        return 0.0 if np.isnan(found) else found

    @property
    def ordered(self) -> float:
        """Share of the faces whose values change in the direction of `correlation` at every step."""
        steps = np.diff(self.values.astype(np.float64), axis=0) * np.sign(self.correlation)
        return float((steps < 0).all(axis=0).mean())


def blurred(crops: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    """Crops behind a Gaussian blur.

    Args:
        crops: uint8 ``(N, H, W, 3)``.
        sigma: In pixels of a crop of 112; scaled for other sides. 0 leaves the crops as they are.
    """
    if not sigma:
        return crops
    scaled = sigma * crops.shape[2] / 112
    return np.stack([np.asarray(cv2.GaussianBlur(crop, (0, 0), scaled), np.uint8) for crop in crops])


def blur_ladder(measure: Measure, crops: NDArray[np.uint8], *, sigmas: Sequence[float] = SIGMAS) -> Ladder:
    """Measure the same faces at every step of blur.

    Args:
        measure: From crops to one value each.
        crops: uint8 RGB ``(N, H, W, 3)``, N at least 2.
        sigmas: See `blurred`; at least two, ascending.

    Raises:
        UsageError: Too few crops or steps, steps that do not ascend, or values that are not finite.
    """
    steps = tuple(float(sigma) for sigma in sigmas)
    if len(crops) < 2 or len(steps) < 2 or list(steps) != sorted(set(steps)) or steps[0] < 0:
        raise UsageError(
            f"a blur ladder needs two or more crops and ascending sigmas from 0; got {len(crops)} crops and {steps}"
        )
    values = np.stack([np.asarray(measure(blurred(crops, sigma)), np.float32) for sigma in steps])
    if not np.isfinite(values).all():
        raise UsageError(f"the measure gave {int((~np.isfinite(values)).sum())} values that are not finite")
    return Ladder(steps, values)
