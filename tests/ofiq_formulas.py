"""Components of ISO/IEC 29794-5 as the reference implementation (OFIQ 1.0.3) computes them from dense landmarks.

Written apart from `visavis.quality.standard`, after the published source, with the landmarks that somebody placed: the
hull of all of them is the face, the chin and the corners of the eyes are landmarks. What OFIQ needs a model for is left
out: yaw in the distance of the eyes, and what covers the face in the two exposures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

REFERENCE = [(251, 272), (364, 272), (308, 336), (262, 402), (355, 402)]
SIDE = 616


@dataclass(frozen=True)
class Landmarks:
    """Where somebody saw the parts of one face; pixels of the picture, left and right as seen.

    Attributes:
        left_eye: Its two corners ``(2, 2)``.
        right_eye: Likewise.
        nose: Its tip ``(2,)``.
        mouth: Left and right corner ``(2, 2)``.
        chin: ``(2,)``.
        hull: Points whose convex hull is the face ``(N, 2)``; None where they do not reach around it.
    """

    left_eye: np.ndarray
    right_eye: np.ndarray
    nose: np.ndarray
    mouth: np.ndarray
    chin: np.ndarray
    hull: np.ndarray | None = None

    @property
    def five(self) -> np.ndarray:
        return np.float32([self.left_eye.mean(0), self.right_eye.mean(0), self.nose, *self.mouth])


def measured(pixels: np.ndarray, face: Landmarks) -> dict[str, float]:
    """Raw values by component; those of the hull only where there is one.

    Args:
        pixels: uint8 RGB ``(H, W, 3)``.
        face: Of a face in it.
    """
    return {**_places(pixels.shape, face), **_light(pixels, face)}


def _places(shape: tuple[int, ...], face: Landmarks) -> dict[str, float]:
    height, width = shape[:2]
    left, right = face.left_eye.mean(0), face.right_eye.mean(0)
    middle, apart = (left + right) / 2, math.dist(left, right)
    to_chin = math.dist(middle, face.chin)
    return {
        "inter_eye_distance": apart,
        "head_size": to_chin / height,
        "margin_left": left[0] / apart,
        "margin_right": (width - right[0]) / apart,
        "margin_above": middle[1] / to_chin,
        "margin_below": (height - middle[1]) / to_chin,
    }


def _light(pixels: np.ndarray, face: Landmarks) -> dict[str, float]:
    matrix, _ = cv2.estimateAffinePartial2D(face.five, np.float32(REFERENCE), method=cv2.LMEDS)
    aligned = cv2.warpAffine(pixels, matrix, (SIDE, SIDE))
    values = luminance(aligned)
    eyes = [_moved(corners, matrix).mean(0) for corners in (face.left_eye, face.right_eye)]
    mouth = _moved(face.mouth, matrix).mean(0)
    apart, down = math.dist(*eyes), math.dist((eyes[0] + eyes[1]) / 2, mouth)
    size, top = int(apart * 0.3), int(down / 2)
    squares = []
    for eye, start in ((eyes[0], -size), (eyes[1], 0)):
        x, y = int(eye[0]) + start, int(eye[1]) + top
        squares.append((slice(y, y + size), slice(x, x + size)))
    shares = [_histogram(values[square].ravel()) for square in squares]
    found = {
        "illumination_uniformity": sum(min(a, b) for a, b in zip(*shares, strict=True)),
        "natural_colour": _colour(aligned, squares),
    }
    if face.hull is not None:
        mask = np.zeros((SIDE, SIDE), np.uint8)
        cv2.fillConvexPoly(mask, cv2.convexHull(np.round(_moved(face.hull, matrix)).astype(np.int32)), 1)
        found |= _of_histogram(_histogram(values[mask == 1]))
    return found


def _of_histogram(share: list[float]) -> dict[str, float]:
    mean = sum(value * level / 255 for level, value in enumerate(share))
    return {
        "luminance_mean": mean,
        "luminance_variance": sum(value * (level / 255 - mean) ** 2 for level, value in enumerate(share)),
        "dynamic_range": -sum(value * math.log2(value) for value in share if value > 0),
        "under_exposure": sum(share[0:26]),
        "over_exposure": sum(share[247:256]),
    }


def luminance(pixels: np.ndarray) -> np.ndarray:
    """Linear light of 255, whole numbers."""
    share = pixels / 255.0
    linear = np.where(share > 0.04045, np.power((share + 0.055) / 1.055, 2.4), share / 12.92)
    return np.floor((linear * [0.2126, 0.7152, 0.0722]).sum(axis=2) * 255 + 0.5).astype(int)


def _histogram(levels: np.ndarray) -> list[float]:
    counts = [0] * 256
    for level in levels.tolist():
        counts[level] += 1
    return [count / len(levels) for count in counts]


def _colour(aligned: np.ndarray, squares: list[tuple[slice, slice]]) -> float:
    if (np.ptp(aligned, axis=2) == 0).all():
        return 0.0
    both = np.concatenate([aligned[square].reshape(-1, 3) for square in squares]) / 255.0
    red, green, blue = (((v + 0.055) / 1.055) ** 2.4 if v > 0.04045 else v / 12.92 for v in both.mean(0).tolist())
    x = (0.43605 * red + 0.38508 * green + 0.14309 * blue) / 0.964221
    y = 0.22249 * red + 0.71689 * green + 0.06062 * blue
    z = (0.01393 * red + 0.09710 * green + 0.71419 * blue) / 0.825211
    x, y, z = (v ** (1 / 3) if v > 216 / 24389 else (24389 / 27 * v + 16) / 116 for v in (x, y, z))
    a, b = 500 * (x - y), 200 * (y - z)
    if a < 0 or b < 0:
        return 100.0
    return math.hypot(max(0, 5 - a, a - 25), max(0, 5 - b, b - 35))


def _moved(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]
