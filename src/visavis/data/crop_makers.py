"""From pictures to the crops of a pack: by a detector, or ready as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from visavis.alignment.five_point import FivePointAligner
from visavis.data.arcface_template import arcface_at
from visavis.data.pack_meta import Landmarks
from visavis.geometry import transform_points
from visavis.io.fingerprints import hashed
from visavis.io.reading import read_batch
from visavis.io.source import Source
from visavis.pipeline.pipeline import DECODED_SIDE
from visavis.types.protocols import Detector
from visavis.types.status import Failure, Status

_GROUP = 8
"""Pictures decoded at a time by a worker: large photos must not fill the memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Crops of some pictures, a row each.

    Attributes:
        pixels: uint8 RGB ``(N, S, S, 3)``; zeros in failed rows.
        boxes: float32 ``(N, 4)``, NaN where unknown.
        landmarks: float32 ``(N, 5, 2)`` in pixels of the crop; NaN in failed rows.
        scores: float32 ``(N,)``, NaN where unknown.
        status: Per row, None or why there is no crop.
    """

    pixels: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    scores: NDArray[np.float32]
    status: Status


class CropMaker(Protocol):
    """What makes crops; safe to share between threads.

    Attributes:
        size: Side of a crop in pixels.
        template: Name of the landmark template.
        detector_tag: Tag of what places the landmarks.
        landmarks: See `PackMeta.landmarks`.
    """

    size: int
    template: str
    detector_tag: str
    landmarks: Landmarks

    def cut(self, sources: Sequence[Source]) -> Cut:
        """One row a picture; a picture that cannot be used is a failed row."""
        ...

    def fingerprint(self) -> str:
        """sha256, hexadecimal, of all that decides the crops."""
        ...


class DetectingMaker:
    """The most central large face of each picture, aligned by five points to the ArcFace template.

    Args:
        detector: Finds the faces.
        size: Side of a crop in pixels.
        minimum_size: Faces whose longer side was smaller were left out by the detector; part of the fingerprint.

    Raises:
        UsageError: A size outside 1..4096.
    """

    landmarks: Landmarks = "detected"

    def __init__(self, detector: Detector, *, size: int = 112, minimum_size: float = 0.0) -> None:
        crop = arcface_at(size)
        self.size, self.template = size, crop.name
        self.detector_tag = str(getattr(detector, "tag", type(detector).__name__))
        self._minimum = minimum_size
        self._detector = detector
        self._aligner = FivePointAligner(crop, detector=self.detector_tag)

    def cut(self, sources: Sequence[Source]) -> Cut:
        """See `CropMaker.cut`."""
        return _joined([self._group(sources[start : start + _GROUP]) for start in range(0, len(sources), _GROUP)])

    def fingerprint(self) -> str:
        """See `CropMaker.fingerprint`."""
        return hashed([self.template, self.detector_tag, repr(self._minimum)])

    def _group(self, sources: Sequence[Source]) -> Cut:
        pictures = read_batch(sources, min_side=DECODED_SIDE)
        faces = self._detector.detect(pictures, which="central")
        crops = self._aligner.align(pictures, faces)
        points = transform_points(crops.matrices, faces.points).astype(np.float32)
        return Cut(crops.pixels, faces.boxes, points, faces.score, crops.status)


class ReadyMaker:
    """Pictures that are aligned crops already, by the ArcFace template; its points stand for their landmarks.

    Args:
        size: Side that every picture has, in pixels.

    Raises:
        UsageError: A size outside 1..4096.
    """

    landmarks: Landmarks = "template"
    detector_tag = "given"

    def __init__(self, *, size: int = 112) -> None:
        crop = arcface_at(size)
        self.size, self.template = size, crop.name
        self._points = crop.array().astype(np.float32)

    def cut(self, sources: Sequence[Source]) -> Cut:
        """See `CropMaker.cut`."""
        pictures = read_batch(sources)
        pixels = np.zeros((len(pictures), self.size, self.size, 3), np.uint8)
        failures: list[Failure | None] = list(pictures.status)
        for row, picture in enumerate(pictures.items):
            if picture is None:
                continue
            if picture.pixels.shape == pixels.shape[1:]:
                pixels[row] = picture.pixels
            else:
                height, width = picture.pixels.shape[:2]
                failures[row] = Failure(
                    "crop-size",
                    f"{picture.source}: {width} x {height} pixels; aligned crops of {self.size} x {self.size} were "
                    "announced: give their --size, or leave --aligned out",
                )
        nothing = np.full(len(pictures), np.nan, np.float32)
        points = np.tile(self._points, (len(pictures), 1, 1))
        return Cut(pixels, np.tile(nothing[:, None], (1, 4)), points, nothing, Status(tuple(failures)))

    def fingerprint(self) -> str:
        """See `CropMaker.fingerprint`."""
        return hashed([self.template, "ready"])


def _joined(parts: list[Cut]) -> Cut:
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("pixels", "boxes", "landmarks", "scores")
    }
    return Cut(**columns, status=Status.concat([part.status for part in parts]))
