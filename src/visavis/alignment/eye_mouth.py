"""Alignment by two anchors: the middle of the eyes and the height of the mouth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visavis.alignment.five_point import FivePointAligner
from visavis.errors import UsageError
from visavis.geometry import LIGHT_CNN_128, CropTemplate


def eye_mouth_transform(
    points: NDArray[np.floating], *, eyes: tuple[float, float] = (64.0, 40.0), distance: float = 48.0
) -> NDArray[np.float64]:
    """Level the eyes, bring the mouth so far below them, and put the middle of the eyes in its place.

    How the crops of Light CNN were made (``face_db_align.m`` of AlfredXiangWu/face_verification_experiment, without its
    rounding to whole pixels). The nose counts for nothing, and the mouth by its height only: of a face that is turned
    aside the middle of the mouth lies beside the middle of the crop.

    Args:
        points: ``(..., 5, 2)``: left eye, right eye, nose, left and right mouth corner, as seen.
        eyes: Where the middle of the eyes goes, in pixels of the crop; (72, 48) for the training crops of 144 pixels.
        distance: From the middle of the eyes down to that of the mouth, in pixels of the crop.

    Returns:
        float64 ``(..., 2, 3)``; NaN where the eyes coincide or the mouth is not below them.

    Raises:
        UsageError: Another shape.
    """
    given = np.asarray(points, np.float64)
    if given.shape[-2:] != (5, 2):
        raise UsageError(f"points are (..., 5, 2): eyes, nose, mouth corners; got {given.shape}")
    across = given[..., 1, :] - given[..., 0, :]
    middle, mouth = given[..., :2, :].mean(-2), given[..., 3:, :].mean(-2)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine, sine = np.moveaxis(across / np.linalg.norm(across, axis=-1, keepdims=True), -1, 0)
        down = mouth - middle
        height = cosine * down[..., 1] - sine * down[..., 0]
        scale = np.where(height > 0, distance / height, np.nan)
    matrix = np.empty((*given.shape[:-2], 2, 3))
    matrix[..., 0, 0] = matrix[..., 1, 1] = scale * cosine
    matrix[..., 0, 1], matrix[..., 1, 0] = scale * sine, -scale * sine
    matrix[..., 2] = np.asarray(eyes) - (matrix[..., :2] @ middle[..., None])[..., 0]
    return matrix


class EyeMouthAligner(FivePointAligner):
    """Crops by `eye_mouth_transform`; the template says where the middles of eyes and mouth lie.

    Args:
        template: Of the crops.
        detector: Tag of what placed the points; it becomes part of the template space.
    """

    def __init__(self, template: CropTemplate = LIGHT_CNN_128, *, detector: str = "given") -> None:
        super().__init__(template, detector=f"{detector}, eyes and mouth")

    def transforms(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `FivePointAligner.transforms`."""
        wanted = self.template.array()
        x, y = wanted[:2].mean(0)
        return eye_mouth_transform(points, eyes=(float(x), float(y)), distance=float(wanted[3:, 1].mean() - y))
