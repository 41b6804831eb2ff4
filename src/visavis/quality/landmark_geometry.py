"""What the landmarks of a face say without its pixels: shape, size, place in the picture, how far it is turned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError
from visavis.quality.landmark_layout import LandmarkLayout
from visavis.types import Failure, Status

_Float = NDArray[np.float64]

GROUPS = ("shape", "box-shape", "scale", "box", "frame", "pose", "roll", "confidence", "residual")
"""The groups of features, in the order of their columns; see `landmark_features`."""
DEFAULT_GROUPS = ("shape", "scale", "pose")
_MOST = 10.0
"""Ratios whose denominator falls to nothing on a profile are cut here."""
_SMALLEST = 1.0
"""Landmarks within less than a pixel of their centre coincide."""


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """The landmarks of a batch of faces, with what else a detector says.

    Attributes:
        layout: Which landmark is which.
        points: ``(B, K, 2)``, pixels of the stored picture.
        boxes: ``(B, 4)`` xyxy, or None.
        confidence: ``(B,)`` of the detector, 0..1, or None.
        sizes: ``(B, 2)`` width and height of each picture, or None.

    Raises:
        UsageError: Columns of other shapes.
    """

    layout: LandmarkLayout
    points: _Float
    boxes: _Float | None = None
    confidence: _Float | None = None
    sizes: _Float | None = None

    def __post_init__(self) -> None:
        points = self.layout.check(self.points)
        object.__setattr__(self, "points", points)
        for name, width in (("boxes", (4,)), ("confidence", ()), ("sizes", (2,))):
            value = getattr(self, name)
            if value is not None:
                column = np.asarray(value, np.float64)
                if column.shape != (len(points), *width):
                    raise UsageError(f"{name} must have the shape {(len(points), *width)}; got {column.shape}")
                object.__setattr__(self, name, column)

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, index: Any) -> Landmarks:
        columns = (self.boxes, self.confidence, self.sizes)
        return Landmarks(
            self.layout, self.points[index], *(None if column is None else column[index] for column in columns)
        )

    def mirrored(self) -> Landmarks:
        """The faces as a mirror shows them; a picture of unknown size is mirrored about its left edge."""
        width = np.zeros(len(self)) if self.sizes is None else self.sizes[:, 0] - 1
        points = self.layout.mirrored(self.points)
        points[..., 0] += width[:, None]
        boxes = self.boxes
        if boxes is not None:
            boxes = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
        return Landmarks(self.layout, points, boxes, self.confidence, self.sizes)

    @property
    def spread(self) -> _Float:
        """s, the root of the summed squared distances from the centre over K: float64 ``(B,)``, pixels."""
        centred = self.points - self.points.mean(axis=1, keepdims=True)
        spread: _Float = np.sqrt(np.square(centred).sum(axis=2).mean(axis=1))
        return spread

    @property
    def inside(self) -> _Float:
        """Share of the landmarks inside the picture, float64 ``(B,)``; 1 where its size is not known."""
        if self.sizes is None:
            return np.ones(len(self))
        within = (self.points >= 0) & (self.points <= self.sizes[:, None] - 1)
        share: _Float = within.all(axis=2).mean(axis=1)
        return share

    @property
    def status(self) -> Status:
        """Per face, why its landmarks cannot be judged, or None.

        ``landmarks``: not finite, all but one place, or all outside the picture; a box of no or negative size.
        """
        finite = np.asarray(np.isfinite(self.points).all(axis=(1, 2)))
        sides = np.ones((len(self), 2)) if self.boxes is None else self.boxes[:, 2:] - self.boxes[:, :2]
        bad_box = np.asarray(~(sides > 0).all(axis=1))
        with np.errstate(invalid="ignore"):
            outside = np.asarray(self.inside <= 0)
            apart = np.asarray(self.spread >= _SMALLEST)
        faults = (
            (~finite, "the landmarks are not finite numbers"),
            (~apart, "the landmarks fall together: they lie within a pixel"),
            (outside, "all landmarks lie outside the picture"),
            (bad_box, "the box has no or a negative size"),
        )
        return Status(
            tuple(
                next((Failure("landmarks", words) for fault, words in faults if fault[row]), None)
                for row in range(len(self))
            )
        )


def roll_of(anchors: NDArray[np.floating]) -> _Float:
    """The angle of the line through the eyes of ``(B, 5, 2)`` anchors, float64 ``(B,)``, radians."""
    across = anchors[:, 1] - anchors[:, 0]
    roll: _Float = np.arctan2(across[:, 1], across[:, 0])
    return roll


def normalised(landmarks: Landmarks) -> _Float:
    """The landmarks about their centre, turned so that the eyes are level, in units of their spread.

    ``p' = R(-roll) (p - c) / s``: the same for a face that was moved, enlarged or turned in the plane of the picture.

    Returns:
        float64 ``(B, K, 2)``.
    """
    centred = landmarks.points - landmarks.points.mean(axis=1, keepdims=True)
    roll = roll_of(landmarks.layout.anchors(landmarks.points))
    cosine, sine = np.cos(roll)[:, None], np.sin(roll)[:, None]
    x, y = centred[..., 0], centred[..., 1]
    level = np.stack([cosine * x + sine * y, cosine * y - sine * x], axis=2)
    flat: _Float = level / landmarks.spread[:, None, None]
    return flat


def box_normalised(landmarks: Landmarks) -> _Float:
    """The landmarks as shares of the detector's box, float64 ``(B, K, 2)``; of their own bounding box without one.

    What a box encloses differs between detectors: a forest on these numbers is of one detector.
    """
    boxes = landmarks.boxes
    if boxes is None:
        boxes = np.concatenate([landmarks.points.min(axis=1), landmarks.points.max(axis=1)], axis=1)
    share: _Float = (landmarks.points - boxes[:, None, :2]) / (boxes[:, 2:] - boxes[:, :2])[:, None]
    return share


def pose_proxies(level: NDArray[np.floating], layout: LandmarkLayout) -> _Float:
    """How far a face seems turned, from its normalised landmarks.

    Args:
        level: ``(B, K, 2)`` of `normalised`.
        layout: Which landmark is which.

    Returns:
        float64 ``(B, 4)``: yaw ``(|nose - left eye| - |nose - right eye|) / (their sum)``; pitch ``(nose_y - eye_y) /
        (mouth_y - nose_y)``; width of the mouth over that of the eyes; asymmetry, the mean distance of a landmark from
        the mirror image of its counterpart. In a mirror yaw changes its sign and the others stay.
    """
    left, right, nose, mouth_left, mouth_right = np.swapaxes(layout.anchors(level), 0, 1)
    near, far = np.linalg.norm(nose - left, axis=1), np.linalg.norm(nose - right, axis=1)
    eye_y, mouth_y = (left[:, 1] + right[:, 1]) / 2, (mouth_left[:, 1] + mouth_right[:, 1]) / 2
    mouth, eyes = np.linalg.norm(mouth_right - mouth_left, axis=1), np.linalg.norm(right - left, axis=1)
    apart = np.linalg.norm(level - layout.mirrored(level), axis=2).mean(axis=1)
    pitch = _ratio(nose[:, 1] - eye_y, mouth_y - nose[:, 1])
    return np.column_stack([_ratio(near - far, near + far), pitch, _ratio(mouth, eyes), apart])


def _ratio(above: _Float, below: _Float) -> _Float:
    """The ratio, at most `_MOST` either way; that also where the denominator is nothing or less."""
    return np.clip(above / np.maximum(below, 1e-9), -_MOST, _MOST)


def fit_residual(landmarks: Landmarks, head: NDArray[np.floating]) -> _Float:
    """What the best affine view of a head leaves of the landmarks: root mean square over s, float64 ``(B,)``.

    Args:
        landmarks: The faces.
        head: ``(K, 3)``, the head.

    Raises:
        UsageError: A head of another number of points.
    """
    if head.shape != (landmarks.layout.count, 3):
        raise UsageError(f"the head of a layout of {landmarks.layout.count} landmarks is (K, 3); got {head.shape}")
    known = np.column_stack([head, np.ones(len(head))])
    left = landmarks.points - known @ (np.linalg.pinv(known) @ landmarks.points)
    residual: _Float = np.sqrt(np.square(left).sum(axis=2).mean(axis=1)) / landmarks.spread
    return residual


def feature_names(layout: LandmarkLayout, groups: Sequence[str]) -> tuple[str, ...]:
    """The columns of `landmark_features`.

    Raises:
        UsageError: An unknown group, one twice, or none.
    """
    unknown = [group for group in groups if group not in GROUPS]
    if unknown or not groups or len(set(groups)) != len(groups):
        raise UsageError(f"features are one or several of the groups {', '.join(GROUPS)}; got {', '.join(groups)}")
    places = [f"{axis}{number}" for number in range(layout.count) for axis in "xy"]
    columns = {
        "shape": places,
        "box-shape": [f"box {place}" for place in places],
        "scale": ["log s", "log eye distance"],
        "box": ["log short side"],
        "frame": ["inside"],
        "pose": ["yaw", "pitch", "mouth over eyes", "asymmetry"],
        "roll": ["roll"],
        "confidence": ["confidence"],
        "residual": ["residual"],
    }
    return tuple(name for group in GROUPS if group in groups for name in columns[group])


def landmark_features(
    landmarks: Landmarks, groups: Sequence[str] = DEFAULT_GROUPS, *, head: ArrayLike | None = None
) -> NDArray[np.float32]:
    """The features of a forest.

    Args:
        landmarks: The faces; rows that cannot be judged, see `Landmarks.status`, give what does not matter.
        groups: ``shape``: `normalised`, without size. ``box-shape``: `box_normalised`. ``scale``: log s and log of the
            distance of the eyes in pixels; without them, or ``box``, a forest knows nothing of resolution. ``box``: log
            of the box's shorter side. ``frame``: share of landmarks inside the picture. ``pose``: `pose_proxies`.
            ``roll``: the angle of the eyes. ``confidence``: the detector's. ``residual``: `fit_residual`.
        head: ``(K, 3)``, for ``residual``.

    Returns:
        float32 ``(B, F)``, columns of `feature_names`.

    Raises:
        UsageError: A group whose column the landmarks lack.
    """
    feature_names(landmarks.layout, groups)
    _require_columns(landmarks, groups, head)
    level = normalised(landmarks) if {"shape", "pose"} & set(groups) else None
    found = [_group(group, landmarks, level, head) for group in GROUPS if group in groups]
    return np.column_stack(found).astype(np.float32)


def _require_columns(landmarks: Landmarks, groups: Sequence[str], head: ArrayLike | None) -> None:
    needed = {"box": landmarks.boxes, "frame": landmarks.sizes, "confidence": landmarks.confidence, "residual": head}
    missing = [group for group, column in needed.items() if group in groups and column is None]
    if missing:
        raise UsageError(
            f"the features {', '.join(missing)} need boxes, sizes of pictures, confidence or a head, which were not "
            "given; give them or leave the group out"
        )


def _group(group: str, landmarks: Landmarks, level: _Float | None, head: ArrayLike | None) -> Any:
    """The columns of one group; what it needs is there."""
    layout, points = landmarks.layout, landmarks.points
    if group in ("shape", "box-shape"):
        return (level if group == "shape" and level is not None else box_normalised(landmarks)).reshape(len(points), -1)
    if group == "pose":
        return pose_proxies(np.asarray(level), layout)
    if group == "residual":
        return fit_residual(landmarks, np.asarray(head, np.float64))
    if group == "scale":
        return np.log(np.column_stack([landmarks.spread, _eye_distance(landmarks)]))
    if group == "box":
        boxes = np.asarray(landmarks.boxes)
        return np.log((boxes[:, 2:] - boxes[:, :2]).min(axis=1))
    single = {"frame": landmarks.inside, "roll": roll_of(layout.anchors(points)), "confidence": landmarks.confidence}
    return single[group]


def _eye_distance(landmarks: Landmarks) -> _Float:
    """float64 ``(B,)``, pixels; at least a thousandth of one, since its logarithm is taken."""
    anchors = landmarks.layout.anchors(landmarks.points)
    distance: _Float = np.maximum(np.linalg.norm(anchors[:, 1] - anchors[:, 0], axis=1), 1e-3)
    return distance
