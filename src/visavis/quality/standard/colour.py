"""Natural colour: how far the colour of the cheeks lies outside the range of skin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visavis.quality.standard.face import StandardFace

_TO_XYZ = np.array([[0.43605, 0.38508, 0.14309], [0.22249, 0.71689, 0.06062], [0.01393, 0.09710, 0.71419]])
"""From linear sRGB to CIE XYZ under D50 (Bradford-adapted)."""
_WHITE = np.array([0.964221, 1.0, 0.825211])
_KAPPA, _EPSILON = 24389 / 27, 216 / 24389
_A, _B = (5.0, 25.0), (5.0, 35.0)
_FAR = 100.0


def natural_colour(face: StandardFace) -> float:
    """Distance of the cheeks' mean colour from ``a* 5..25, b* 5..35`` in CIELAB; 100 where a* or b* is negative.

    A picture without any colour has the distance 0: grey is no false colour.
    """
    if (face.pixels == face.pixels[..., :1]).all():
        return 0.0
    cheeks = np.concatenate([cheek.reshape(-1, 3) for cheek in face.cheeks(face.pixels)])
    a, b = a_and_b(cheeks.mean(axis=0))
    if a < 0 or b < 0:
        return _FAR
    return float(np.hypot(_outside(a, *_A), _outside(b, *_B)))


def a_and_b(colour: NDArray[np.float64]) -> tuple[float, float]:
    """CIELAB a* and b* (D50) of an sRGB colour ``(3,)`` in 0..255."""
    share = np.asarray(colour, np.float64) / 255
    linear = np.where(share > 0.04045, ((share + 0.055) / 1.055) ** 2.4, share / 12.92)
    relative = _TO_XYZ @ linear / _WHITE
    x, y, z = np.where(relative > _EPSILON, np.cbrt(relative), (_KAPPA * relative + 16) / 116).tolist()
    return 500 * (x - y), 200 * (y - z)


def _outside(value: float, low: float, high: float) -> float:
    return max(0.0, low - value, value - high)
