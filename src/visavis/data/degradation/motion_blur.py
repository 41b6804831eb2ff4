"""A picture of a face, or a camera, that moved."""

from __future__ import annotations

import cv2
import numpy as np

from visavis.data.degradation.operator import FacePlace, Pixels


def motion_blur(pixels: Pixels, face: FacePlace, length: float, rng: np.random.Generator) -> Pixels:
    """The mean of the picture along a straight line of random direction.

    Args:
        pixels: uint8 RGB ``(H, W, 3)``.
        face: The face.
        length: Of the line, in pixels of a face whose longer side has 112.
        rng: What the direction is drawn from.
    """
    reach = max(1.0, length * face.side / 112) / 2
    half = int(np.ceil(reach))
    angle = rng.uniform(0, np.pi)
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    # Points of the line at quarter pixels, each shared out to the four cells about it.
    along = np.arange(-reach, reach + 0.125, 0.25)
    for x, y in zip(half + along * np.cos(angle), half + along * np.sin(angle), strict=True):
        column, row = int(np.floor(x)), int(np.floor(y))
        right, down = x - column, y - row
        for dy, dx, share in ((0, 0, (1 - down) * (1 - right)), (0, 1, (1 - down) * right),
                              (1, 0, down * (1 - right)), (1, 1, down * right)):  # fmt: skip
            if row + dy < len(kernel) and column + dx < len(kernel):
                kernel[row + dy, column + dx] += share
    return np.asarray(cv2.filter2D(pixels, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE), np.uint8)
