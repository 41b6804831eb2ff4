"""Similarity transforms, the five-point template, boxes.

Coordinates are pixels, x first, origin at the centre of the top-left pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError

_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CropTemplate:
    """Where the five landmarks of an aligned crop lie.

    Attributes:
        name: For example ``arcface-112``.
        width: Crop width in pixels.
        height: Crop height in pixels.
        points: Five ``(x, y)``: left eye, right eye, nose, left and right mouth corner, as seen.
    """

    name: str
    width: int
    height: int
    points: tuple[tuple[float, float], ...]

    def array(self) -> _Float:
        """float64 ``(5, 2)``."""
        return np.array(self.points, dtype=np.float64)


ARCFACE_112 = CropTemplate(
    "arcface-112",
    112,
    112,
    ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)),
)
"""The template of ArcFace, SFace and most recognisers since (Deng et al. 2019, released code)."""

DLIB_150 = CropTemplate(
    "dlib-150",
    150,
    150,
    ((48.16, 45.66), (100.61, 45.85), (73.25, 78.23), (51.50, 102.32), (95.65, 103.22)),
)
"""Where YuNet's five points lie in the chips that dlib cuts (150 pixels, padding 0.25): medians over 557 pictures of
CelebA people of role ``develop``."""

LIGHT_CNN_128 = CropTemplate(
    "light-cnn-128",
    128,
    128,
    ((43.2141, 39.9993), (84.7859, 40.0007), (63.9999, 63.7579), (46.7868, 87.9994), (81.2132, 88.0006)),
)
"""The points of ArcFace moved, turned and scaled so that the middle of the eyes is (64, 40) and that of the mouth
(64, 88), which is how Wu et al. (2018, released code) align for Light CNN."""

FACENET_160 = CropTemplate(
    "facenet-160",
    160,
    160,
    ((44.34, 63.34), (111.38, 62.99), (77.11, 93.09), (49.14, 115.44), (105.35, 115.52)),
)
"""Where YuNet's five points lie in the crops of facenet-pytorch (its MTCNN, margin 14): medians over 420 pictures of
CelebA people of role ``develop``. Those crops stretch the box of the face to a square, by 1.34 sideways; a similarity
transform does not, and meets them half way."""

TEMPLATES = {template.name: template for template in (ARCFACE_112, DLIB_150, LIGHT_CNN_128, FACENET_160)}


def similarity_transform(source: NDArray[np.floating], target: NDArray[np.floating]) -> _Float:
    """The rotation, uniform scale and shift that best map points onto points.

    Least squares over ``|s R x + t - y|``; the closed form of Umeyama (1991, eq. 40-42) in two
    dimensions, where reflections cannot occur.

    Args:
        source: ``(..., K, 2)``, K >= 2 points that do not all coincide.
        target: Same shape, or ``(K, 2)``.

    Returns:
        float64 ``(..., 2, 3)``.

    Raises:
        UsageError: Shapes do not fit.
    """
    moving = np.asarray(source, dtype=np.float64)
    fixed = np.asarray(target, dtype=np.float64)
    if moving.ndim < 2 or moving.shape[-1] != 2 or moving.shape[-2:] != fixed.shape[-2:] or moving.shape[-2] < 2:
        raise UsageError(f"points must be (..., K, 2) with equal K >= 2; got {moving.shape} and {fixed.shape}")
    centre_moving = moving.mean(axis=-2, keepdims=True)
    centre_fixed = fixed.mean(axis=-2, keepdims=True)
    a = moving - centre_moving
    b = fixed - centre_fixed
    spread = (a * a).sum(axis=(-1, -2))
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = (a * b).sum(axis=(-1, -2)) / spread
        sine = (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]).sum(axis=-1) / spread
    matrix = np.empty((*np.broadcast_shapes(cosine.shape, sine.shape), 2, 3))
    matrix[..., 0, 0] = cosine
    matrix[..., 0, 1] = -sine
    matrix[..., 1, 0] = sine
    matrix[..., 1, 1] = cosine
    shift = centre_fixed[..., 0, :] - (matrix[..., :2] @ centre_moving[..., 0, :, None])[..., 0]
    matrix[..., 2] = shift
    return matrix


def transform_points(matrix: NDArray[np.floating], points: NDArray[np.floating]) -> _Float:
    """Apply ``(..., 2, 3)`` affine matrices to ``(..., K, 2)`` points."""
    affine = np.asarray(matrix, dtype=np.float64)
    turned: _Float = np.asarray(points, dtype=np.float64) @ np.swapaxes(affine[..., :2], -1, -2)
    return turned + affine[..., None, :, 2]


def invert(matrix: NDArray[np.floating]) -> _Float:
    """The inverse of ``(..., 2, 3)`` affine matrices.

    Raises:
        UsageError: A matrix is singular.
    """
    affine = np.asarray(matrix, dtype=np.float64)
    try:
        linear = np.linalg.inv(affine[..., :2])
    except np.linalg.LinAlgError as error:
        raise UsageError("an affine matrix without inverse: its points coincide") from error
    return np.concatenate([linear, -(linear @ affine[..., 2:])], axis=-1)


def iou(left: NDArray[np.floating], right: NDArray[np.floating]) -> _Float:
    """Intersection over union of all pairs of boxes.

    Args:
        left: ``(N, 4)`` xyxy.
        right: ``(M, 4)`` xyxy.

    Returns:
        float64 ``(N, M)`` in 0..1; 0 where both boxes are empty.
    """
    a = np.asarray(left, dtype=np.float64).reshape(-1, 4)
    b = np.asarray(right, dtype=np.float64).reshape(-1, 4)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = np.clip(high - low, 0, None).prod(axis=2)
    area_a = np.clip(a[:, 2:] - a[:, :2], 0, None).prod(axis=1)
    area_b = np.clip(b[:, 2:] - b[:, :2], 0, None).prod(axis=1)
    union = area_a[:, None] + area_b[None] - inter
    shared: _Float = np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)
    return shared


def overlaps(box: NDArray[np.floating], boxes: NDArray[np.floating]) -> _Float:
    """`iou` of one box with many ``(N, 4)``, float64 ``(N,)``, without its checks: the inner loop of suppression."""
    one, many = box.astype(np.float64), boxes.astype(np.float64)
    shared = np.maximum(np.minimum(one[2:], many[:, 2:]) - np.maximum(one[:2], many[:, :2]), 0.0)
    inter = shared[:, 0] * shared[:, 1]
    sides = np.maximum(many[:, 2:] - many[:, :2], 0.0)
    total = sides[:, 0] * sides[:, 1] + max(one[2] - one[0], 0.0) * max(one[3] - one[1], 0.0) - inter
    result: _Float = inter / np.where(total > 0, total, 1.0)
    return result


def non_maximum_suppression(
    boxes: NDArray[np.floating], score: NDArray[np.floating], *, overlap: float
) -> NDArray[np.intp]:
    """Greedy non-maximum suppression.

    Args:
        boxes: ``(N, 4)`` xyxy.
        score: ``(N,)``.
        overlap: A box is dropped when its IoU with a surer kept box exceeds this.

    Returns:
        Rows that stay, surest first; equal scores keep their order.
    """
    order = np.argsort(-np.asarray(score), kind="stable")
    kept: list[int] = []
    while order.size:
        best = int(order[0])
        kept.append(best)
        rest = order[1:]
        if not rest.size:
            break
        order = rest[overlaps(boxes[best], boxes[rest]) <= overlap]
    return np.array(kept, dtype=np.intp)
