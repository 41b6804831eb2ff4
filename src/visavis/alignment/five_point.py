"""Alignment by five points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.geometry import ARCFACE_112, CropTemplate, similarity_transform
from visavis.types import Crops, Faces, Failure, Pictures, Status
from visavis.warps import crop

_SMALLEST = 1e-12
_DEGENERATE = Failure("landmarks", "the five points coincide or lie as no face does, so it cannot be aligned")


class FivePointAligner:
    """Maps the five points onto a template by the best similarity transform.

    Args:
        template: Where the points shall lie.
        detector: Tag of what placed the points; it becomes part of the template space.
    """

    def __init__(self, template: CropTemplate = ARCFACE_112, *, detector: str = "given") -> None:
        self.template = template
        self.detector = detector

    def transforms(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """From pixels of pictures to pixels of crops.

        Args:
            points: ``(N, 5, 2)``.

        Returns:
            Similarity transforms ``(N, 2, 3)``; NaN where there is none.
        """
        return similarity_transform(points, self.template.array())

    def align(self, pictures: Pictures, faces: Faces) -> Crops:
        """One crop a face, in order; failed faces give failed crops.

        Raises:
            UsageError: A face names a picture that is not there.
        """
        if len(faces) and (faces.picture.min() < 0 or faces.picture.max() >= len(pictures)):
            raise UsageError(f"faces name pictures up to {faces.picture.max()}; there are {len(pictures)}")
        height, width = self.template.height, self.template.width
        pixels = np.zeros((len(faces), height, width, 3), np.uint8)
        matrices = np.full((len(faces), 2, 3), np.nan)
        failures = list(faces.status)
        items = [pictures.items[int(index)] for index in faces.picture]
        scale = np.array([(1.0, 1.0) if item is None else item.scale for item in items]).reshape(-1, 1, 2)
        here = (faces.points.astype(np.float64) + 0.5) / scale - 0.5
        found = self.transforms(here)
        # A similarity's determinant is the sum of two squares; NaN compares as not usable.
        usable = np.isfinite(found).all(axis=(1, 2)) & ((found[:, :, 0] ** 2).sum(axis=1) >= _SMALLEST)
        for row, item in enumerate(items):
            if failures[row] is not None:
                continue
            if item is None:
                failures[row] = pictures.status.failures[int(faces.picture[row])]
            elif not usable[row]:
                failures[row] = _DEGENERATE
            else:
                pixels[row] = crop(item.pixels, found[row], self.template)
                matrices[row] = _from_stored(found[row], scale[row, 0])
        return Crops(pixels, matrices, self.template.name, Status(tuple(failures)), self.detector)


def _from_stored(matrix: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """A matrix on decoded pixels as one on stored pixels, pixel centres on centres."""
    linear = matrix[:, :2] / scale
    half = np.full(2, 0.5)
    return np.concatenate([linear, (matrix[:, 2] + linear @ half - matrix[:, :2] @ half)[:, None]], axis=1)
