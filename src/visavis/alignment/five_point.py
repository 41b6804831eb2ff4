"""Alignment by five points."""

from __future__ import annotations

import numpy as np

from visavis.errors import UsageError
from visavis.geometry import ARCFACE_112, CropTemplate, similarity_transform
from visavis.types import Crops, Faces, Failure, Pictures, Status
from visavis.warps import crop

_DEGENERATE = Failure("landmarks", "the five points coincide, so the face cannot be aligned")


class FivePointAligner:
    """Maps the five points onto a template by the best similarity transform.

    Args:
        template: Where the points shall lie.
        detector: Tag of what placed the points; it becomes part of the template space.
    """

    def __init__(self, template: CropTemplate = ARCFACE_112, *, detector: str = "given") -> None:
        self.template = template
        self.detector = detector

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
        for row in range(len(faces)):
            if failures[row] is not None:
                continue
            picture = pictures.items[int(faces.picture[row])]
            if picture is None:
                failures[row] = pictures.status.failures[int(faces.picture[row])]
                continue
            scale = np.array(picture.scale)
            here = (faces.points[row].astype(np.float64) + 0.5) / scale - 0.5
            matrix = similarity_transform(here, self.template.array())
            if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:, :2])) < 1e-12:
                failures[row] = _DEGENERATE
                continue
            pixels[row] = crop(picture.pixels, matrix, self.template)
            linear = matrix[:, :2] / scale
            matrices[row, :, :2] = linear
            matrices[row, :, 2] = matrix[:, 2] + linear @ np.full(2, 0.5) - matrix[:, :2] @ np.full(2, 0.5)
        return Crops(pixels, matrices, self.template.name, Status(tuple(failures)), self.detector)
