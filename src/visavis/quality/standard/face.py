"""The face as ISO/IEC 29794-5's reference implementation sees it: aligned to 616 x 616 pixels, with linear light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.geometry import CropTemplate, similarity_transform
from visavis.types import FaceContext
from visavis.warps import crop

TEMPLATE = CropTemplate("ofiq-616", 616, 616, ((251, 272), (364, 272), (308, 336), (262, 402), (355, 402)))
"""Where OFIQ puts the five points. It fits them by least median of squares; here it is least squares."""
_EYES = (np.array([251, 272]), np.array([364, 272]))
_EYE_DISTANCE, _EYE_TO_MOUTH = 113, 130
_HULL = (308, 350, 128, 134)
"""Centre and half axes of the ellipse from above the brows to the chin that stands for the hull of OFIQ's 98 landmarks;
for the chin see `visavis.quality.standard.geometry`."""


@lru_cache(1)
def face_mask() -> NDArray[np.bool_]:
    """bool ``(616, 616)``: the face, brows to chin."""
    mask = np.zeros((TEMPLATE.height, TEMPLATE.width), np.uint8)
    x, y, wide, tall = _HULL
    cv2.ellipse(mask, (x, y), (wide, tall), 0, 0, 360, 1, cv2.FILLED)
    found: NDArray[np.bool_] = mask.astype(bool)
    found.flags.writeable = False
    return found


def _linear() -> NDArray[np.float64]:
    level = np.arange(256) / 255
    return np.where(level > 0.04045, ((level + 0.055) / 1.055) ** 2.4, level / 12.92)


_LINEAR = _linear()


@dataclass(frozen=True)
class StandardFace:
    """One aligned face, and what several components read of it, made once.

    Attributes:
        pixels: uint8 RGB ``(616, 616, 3)``.
    """

    pixels: NDArray[np.uint8]

    @classmethod
    def of(cls, context: FaceContext, row: int) -> StandardFace:
        """The face of one row, cut from the decoded picture; the row must not have failed."""
        picture = context.pictures.items[int(context.faces.picture[row])]
        assert picture is not None, "a face that did not fail lies in a picture that was read"
        matrix = similarity_transform(context.faces.points[row], TEMPLATE.array())
        if not np.isfinite(matrix).all():  # points that coincide: there is nothing to align
            return cls(np.zeros((TEMPLATE.height, TEMPLATE.width, 3), np.uint8))
        return cls(crop(picture.pixels, matrix, TEMPLATE))

    @cached_property
    def luminance(self) -> NDArray[np.uint8]:
        """uint8 ``(616, 616)``: linear light, ``0.2126 R + 0.7152 G + 0.0722 B`` after the sRGB curve, of 255."""
        red, green, blue = (_LINEAR[self.pixels[..., channel]] for channel in range(3))
        light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        return np.floor(light * 255 + 0.5).astype(np.uint8)

    @cached_property
    def histogram(self) -> NDArray[np.float64]:
        """float64 ``(256,)``: share of the face at each level of luminance."""
        return _histogram(self.luminance[face_mask()])

    def cheeks(self, values: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The squares below the left and the right eye as seen, a third of the eyes' distance wide.

        Args:
            values: ``(616, 616)`` or ``(616, 616, 3)``.
        """
        side, down = int(_EYE_DISTANCE * 0.3), _EYE_TO_MOUTH // 2
        (left, top), (right, _) = _EYES
        rows = slice(top + down, top + down + side)
        return values[rows, left - side : left], values[rows, right : right + side]


def _histogram(levels: NDArray[np.uint8]) -> NDArray[np.float64]:
    counts = np.bincount(levels.ravel(), minlength=256)
    share: NDArray[np.float64] = counts / counts.sum()
    return share


def illumination_uniformity(face: StandardFace) -> float:
    """The overlap of the luminance histograms of both cheeks, 0..1."""
    left, right = (_histogram(cheek) for cheek in face.cheeks(face.luminance))
    return float(np.minimum(left, right).sum())


def luminance_mean(face: StandardFace) -> float:
    """Mean luminance of the face, 0..1."""
    return float(face.histogram @ np.arange(256) / 255)


def luminance_variance(face: StandardFace) -> float:
    """Variance of the luminance of the face, 0..0.25."""
    return float(face.histogram @ (np.arange(256) / 255 - luminance_mean(face)) ** 2)


def under_exposure(face: StandardFace) -> float:
    """Share of the face with a luminance of at most 25 of 255."""
    return float(face.histogram[:26].sum())


def over_exposure(face: StandardFace) -> float:
    """Share of the face with a luminance of at least 247 of 255."""
    return float(face.histogram[247:].sum())


def dynamic_range(face: StandardFace) -> float:
    """Entropy of the luminance histogram of the face, bits, 0..8."""
    some = face.histogram[face.histogram > 0]
    return float(-(some * np.log2(some)).sum() + 0.0)
