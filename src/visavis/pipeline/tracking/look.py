"""A look: one face of one frame, with what the tracking needs of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis import registry
from visavis.io.clip_frames import Frame
from visavis.pipeline.context import context_of
from visavis.pipeline.pipeline import Pipeline
from visavis.quality.assessor import Assessor
from visavis.quality.policy import QualityPolicy
from visavis.quality.refusals import refusals
from visavis.selection import Select
from visavis.types import Assessment, FaceContext, Faces, Picture, Pictures
from visavis.types.protocols import Aligner, Detector

_MARGIN = 1.0
"""Sides of the box that are cut out on each side of it: alignment and quality need no more of the picture."""
_SKETCH = 16
_SCENE = 32


@dataclass(frozen=True, slots=True)
class DetectionRoad:
    """What finds and judges faces, and makes no templates.

    Attributes:
        detector: Finds the faces.
        aligner: Cuts them out.
        assessor: Says which are good.
    """

    detector: Detector
    aligner: Aligner
    assessor: Assessor

    @classmethod
    def of(cls, detector: Detector) -> DetectionRoad:
        """The road of a detector, with the five-point aligner and the built-in measures of quality."""
        return cls(detector, registry.create("aligner/five-point"), Assessor())


FaceRoad = Pipeline | DetectionRoad
"""What makes looks of frames."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One face of one frame.

    Attributes:
        number: Of the frame.
        time: Seconds from the beginning of the clip.
        face: One row, in pixels of the frame; ``picture`` is the number of the frame.
        cutout: The face with its surroundings.
        corner: x and y of the cutout's corner in the frame.
        quality: Fused quality before anything was embedded, 0..100.
        fit: Whether it keeps the quality limits that need no embedding.
        sketch: float32 ``(256,)``: the aligned face at 16 x 16 in grey, mean 0 and length 1.
    """

    number: int
    time: float
    face: Faces
    cutout: Picture
    corner: tuple[int, int]
    quality: float
    fit: bool
    sketch: NDArray[np.float32]

    @property
    def box(self) -> NDArray[np.float32]:
        """float32 ``(4,)``: xyxy in pixels of the frame."""
        box: NDArray[np.float32] = self.face.boxes[0]
        return box


@dataclass(frozen=True, slots=True, eq=False)
class SeenFrame:
    """A frame that was looked at.

    Attributes:
        time: Seconds from the beginning of the clip.
        looks: Its faces.
        scene: uint8 ``(32, 32, 3)``: the whole picture, to see where the scene changes.
    """

    time: float
    looks: tuple[Look, ...]
    scene: NDArray[np.uint8]


def see(road: FaceRoad, frame: Frame, *, which: Select = "all") -> SeenFrame:
    """Detect, align and assess the faces of a frame; nothing is embedded, and the picture is not kept.

    Args:
        road: Detector, aligner and assessor.
        frame: The frame.
        which: ``all`` faces, or ``largest`` or ``central``.
    """
    pictures = Pictures.of([frame.picture])
    scene = cv2.resize(frame.picture.pixels, (_SCENE, _SCENE), interpolation=cv2.INTER_AREA)
    found = road.detector.detect(pictures, which=which)
    context = FaceContext(pictures, found, road.aligner.align(pictures, found))
    good = np.flatnonzero(context.crops.ok & found.ok)
    if not len(good):
        return SeenFrame(frame.time, (), np.asarray(scene, np.uint8))
    assessment = road.assessor.assess(context)
    unfit = _refused_at_sight(road, context, assessment)
    looks = []
    for row in good.tolist():
        cutout, corner = _cut(frame.picture, found.boxes[row])
        face = replace(found[[row]], picture=np.array([frame.number]))
        quality = float(np.nan_to_num(assessment.fused.score[row]))
        sketch = _sketch(context.crops.pixels[row])
        looks.append(Look(frame.number, frame.time, face, cutout, corner, quality, not unfit[row], sketch))
    return SeenFrame(frame.time, tuple(looks), np.asarray(scene, np.uint8))


def context_of_looks(road: FaceRoad, looks: Sequence[Look]) -> FaceContext:
    """The faces of looks, embedded where the road does that; ``pictures`` are the cutouts."""
    pictures = Pictures.of([look.cutout for look in looks])
    corners = np.array([look.corner for look in looks], np.float32)
    faces = Faces.concat([look.face for look in looks])
    shifted = Faces(
        faces.boxes - np.tile(corners, 2), faces.score, faces.points - corners[:, None], np.arange(len(looks)),
        faces.status,
    )  # fmt: skip
    if isinstance(road, Pipeline):
        return context_of(road, pictures, shifted)
    return FaceContext(pictures, shifted, road.aligner.align(pictures, shifted))


def _refused_at_sight(road: FaceRoad, context: FaceContext, assessment: Assessment) -> tuple[bool, ...]:
    """Which faces the quality policy refuses by what needs no embedding."""
    if not isinstance(road, Pipeline):
        return (False,) * len(context)
    limits, scores = (
        tuple((name, value) for name, value in asked if name in assessment.names)
        for asked in (road.quality_policy.limits, road.quality_policy.scores)
    )
    found = refusals(QualityPolicy("at sight", limits, scores), road.assessor, context, assessment)
    return tuple(bool(reasons) for reasons in found)


def _cut(picture: Picture, box: NDArray[np.float32]) -> tuple[Picture, tuple[int, int]]:
    width, height = picture.size
    room = _MARGIN * float((box[2:] - box[:2]).max())
    left, top = (max(0, int(value - room)) for value in box[:2].tolist())
    right, bottom = (int(np.ceil(value + room)) for value in box[2:].tolist())
    pixels = picture.pixels[top : min(bottom, height), left : min(right, width)].copy()
    return Picture(pixels, picture.source), (left, top)


def _sketch(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    small = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (_SKETCH, _SKETCH), interpolation=cv2.INTER_AREA)
    values = small.astype(np.float32).ravel()
    values -= values.mean()
    return np.asarray(values / max(float(np.linalg.norm(values)), 1e-6), np.float32)
