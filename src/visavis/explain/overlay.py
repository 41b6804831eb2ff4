"""Signed maps as pictures: red spoke for a match, blue against."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError

FOR = (178, 24, 43)
AGAINST = (33, 102, 172)
_STRONGEST = 0.85
_QUANTILE = 0.995


def map_scale(*maps: NDArray[np.floating]) -> float:
    """The magnitude that is drawn in full colour: the 99.5 % quantile over all given maps; 1 where all are zero.

    Both faces of a pair are drawn at one scale, so that their colours can be compared.
    """
    values = np.concatenate([np.abs(np.asarray(one, np.float64)).ravel() for one in maps])
    scale = float(np.quantile(values, _QUANTILE)) if values.size else 0.0
    return scale if scale > 0 else 1.0


def colours(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """The colour of signed values; float32 RGB ``(..., 3)`` in 0..255.

    Red for positive and blue for negative values, two hues that people with any common colour blindness tell apart.
    """
    signed = np.asarray(values, np.float32)[..., None]
    return np.where(signed >= 0, np.array(FOR, np.float32), np.array(AGAINST, np.float32))


def overlay(
    crop: NDArray[np.uint8], values: NDArray[np.floating], *, scale: float | None = None, enlarge: int = 1
) -> NDArray[np.uint8]:
    """A signed map over its crop.

    The crop is drawn in grey, so that colour means the map alone; the stronger the value, the more colour covers it.

    Args:
        crop: uint8 RGB ``(H, W, 3)``.
        values: ``(H, W)``; positive spoke for a match.
        scale: The magnitude of full colour; `map_scale` of this map when None. Give one scale for both faces.
        enlarge: Whole factor by which the picture grows.

    Returns:
        uint8 RGB ``(enlarge * H, enlarge * W, 3)``.

    Raises:
        UsageError: Shapes that do not fit, or a scale that is not positive.
    """
    if crop.ndim != 3 or crop.shape[2] != 3 or values.shape != crop.shape[:2]:
        raise UsageError(f"a map has the height and width of its crop; got {values.shape} and {crop.shape}")
    full = map_scale(values) if scale is None else scale
    if not full > 0 or enlarge < 1:
        raise UsageError(f"scale must be positive and enlarge at least 1; got {full} and {enlarge}")
    size = (crop.shape[1] * enlarge, crop.shape[0] * enlarge)
    grey = cv2.cvtColor(cv2.resize(crop, size, interpolation=cv2.INTER_CUBIC), cv2.COLOR_RGB2GRAY)
    signed = np.asarray(cv2.resize(np.asarray(values, np.float32), size, interpolation=cv2.INTER_LINEAR), np.float32)
    strength = np.clip(np.abs(signed) / np.float32(full), 0, 1)[..., None] * _STRONGEST
    mixed = np.asarray(grey, np.float32)[..., None] * (1 - strength) + colours(signed) * strength
    return np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)
