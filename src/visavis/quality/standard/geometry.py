"""Where and how large the head is in the picture, from the five points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visavis.quality.pose import angles_of
from visavis.types import FaceContext

CHIN_BY_EYES, CHIN_BY_MOUTH = 1.87, 1.62
"""How far the chin lies below the eyes, in distances between the eyes, and in distances from eyes to mouth. The first
is face length (sellion to menton) over interpupillary breadth, 122.7 over 64.5 mm of men and 113.4 over 61.9 of women
in the survey of Zhuang and Bradtmiller 2005; the second follows from the 1.155 of the aligned face. The standard takes
the chin from a landmark, which five points do not have."""


def chin_distance(between_eyes: NDArray[np.float64], to_mouth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from the eyes to the chin, in pixels: the longer of both estimates.

    A head that is turned brings the eyes together, one that nods or smiles the mouth closer; neither lengthens a face.

    Args:
        between_eyes: Pixels, any shape.
        to_mouth: From the middle of the eyes to that of the mouth corners, pixels, same shape.
    """
    return np.maximum(CHIN_BY_EYES * between_eyes, CHIN_BY_MOUTH * to_mouth)


def eye_points(context: FaceContext) -> NDArray[np.float64]:
    """float64 ``(N, 2, 2)``: left and right eye as seen, pixels of the stored picture."""
    return _points(context)[:, :2]


def _points(context: FaceContext) -> NDArray[np.float64]:
    return np.asarray(context.faces.points.astype(np.float64) * context.scale[:, None])


def inter_eye_distance(context: FaceContext) -> NDArray[np.float64]:
    """Distance between the eyes over the cosine of yaw, pixels of the stored picture; NaN at a right angle."""
    eyes = eye_points(context)
    distance = np.linalg.norm(eyes[:, 1] - eyes[:, 0], axis=1)
    cosine = np.cos(angles_of(context)[:, 0])
    return _ratio(distance, np.where(np.abs(cosine) > 1e-6, cosine, 0))


def _ratio(value: NDArray[np.float64], unit: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN where the unit is 0."""
    found: NDArray[np.float64] = np.divide(value, unit, out=np.full(len(value), np.nan), where=unit != 0)
    return found


def _frame(context: FaceContext) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Point between the eyes, distance from there to the chin, and picture size, in pixels of the stored picture."""
    points = _points(context)
    middle = points[:, :2].mean(axis=1)
    between = np.linalg.norm(points[:, 1] - points[:, 0], axis=1)
    to_chin = chin_distance(between, np.linalg.norm(points[:, 3:].mean(axis=1) - middle, axis=1))
    sizes = [(np.nan, np.nan) if one is None else one.size for one in context.pictures.items]
    return middle, to_chin, np.array(sizes, np.float64).reshape(-1, 2)[context.faces.picture] * context.scale


def head_size(context: FaceContext) -> NDArray[np.float64]:
    """Distance from eyes to chin over the height of the picture."""
    _, to_chin, size = _frame(context)
    return _ratio(to_chin, size[:, 1])


def margin_left(context: FaceContext) -> NDArray[np.float64]:
    """Distance of the left eye as seen from the left edge, in distances between the eyes (not corrected for yaw)."""
    eyes = eye_points(context)
    return _ratio(eyes[:, 0, 0], np.linalg.norm(eyes[:, 1] - eyes[:, 0], axis=1))


def margin_right(context: FaceContext) -> NDArray[np.float64]:
    """Distance of the right eye as seen from the right edge, in distances between the eyes."""
    eyes = eye_points(context)
    size = _frame(context)[2]
    return _ratio(size[:, 0] - eyes[:, 1, 0], np.linalg.norm(eyes[:, 1] - eyes[:, 0], axis=1))


def margin_above(context: FaceContext) -> NDArray[np.float64]:
    """Distance of the eyes from the upper edge, in distances from eyes to chin."""
    middle, to_chin, _ = _frame(context)
    return _ratio(middle[:, 1], to_chin)


def margin_below(context: FaceContext) -> NDArray[np.float64]:
    """Distance of the eyes from the lower edge, in distances from eyes to chin."""
    middle, to_chin, size = _frame(context)
    return _ratio(size[:, 1] - middle[:, 1], to_chin)
