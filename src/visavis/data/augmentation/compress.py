"""A crop that was saved as JPEG once more."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def compress(
    crop: NDArray[np.uint8], rng: np.random.Generator, *, quality: tuple[int, int] = (30, 95)
) -> NDArray[np.uint8]:
    """Encoded as JPEG of random quality, and decoded.

    The range is that of common degradation models for faces (quality 30 to 95, as in BSRGAN, Zhang et al. 2021).

    Args:
        crop: uint8 RGB ``(H, W, 3)``.
        rng: What the quality is drawn from.
        quality: JPEG quality of 1..100, drawn evenly, both ends included.
    """
    level = int(rng.integers(quality[0], quality[1] + 1))
    # libjpeg takes the channels for blue, green, red; the way back undoes that, but the colour planes must be right.
    bgr = cv2.cvtColor(crop, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, level])[1]
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
