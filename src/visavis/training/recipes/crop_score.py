"""A measure of quality of aligned crops alone, in the shape that adapters are weighed by."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visavis import registry
from visavis.errors import UsageError
from visavis.geometry import ARCFACE_112
from visavis.nn.adapters.quality_weight import Score
from visavis.types import Crops, FaceContext, Faces, Picture, Pictures, Status

_OF_THE_PLACE = ("size", "pose", "detection", "landmark")


def crop_score(measure: str) -> Score:
    """The score of a measure over 100, of pictures as the network sees them.

    Args:
        measure: Name of a scorer, ``quality/contrast`` or ``contrast``.

    Raises:
        ModelError: No such measure.
        UsageError: One of where the face lies in its picture, which a crop does not tell; or, when called, one that a
            crop alone does not have.
    """
    full = registry.resolve(measure, kind="quality")
    if full.rpartition("/")[2] in _OF_THE_PLACE:
        raise UsageError(
            f"{full} is of where the face lies in its picture, and all aligned crops are alike in that; weigh by "
            "sharpness, exposure or contrast, or by a fixed value"
        )
    scorer = registry.create(full)

    def score(pictures: Tensor) -> Tensor:
        pixels = (pictures * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        try:
            found = scorer.assess(_context(np.ascontiguousarray(pixels))).score
        except UsageError as error:
            raise UsageError(f"{full} cannot weigh adapters, as a crop alone does not have it: {error}") from error
        return torch.from_numpy(found / 100).to(pictures)

    return score


def _context(pixels: NDArray[np.uint8]) -> FaceContext:
    """Crops as pictures of their own, with the points of the template."""
    count, height, width = pixels.shape[:3]
    side = np.array([width, height], np.float32)
    points = np.tile(ARCFACE_112.array() * side / ARCFACE_112.width, (count, 1, 1)).astype(np.float32)
    good = Status.good(count)
    boxes = np.tile(np.array([0, 0, width, height], np.float32), (count, 1))
    faces = Faces(boxes, np.ones(count, np.float32), points, np.arange(count), good)
    pictures = Pictures.of([Picture(one) for one in pixels])
    matrices = np.tile(np.eye(2, 3, dtype=np.float32), (count, 1, 1))
    return FaceContext(pictures, faces, Crops(pixels, matrices, ARCFACE_112.name, good))
