"""People before a camera: one reference each, and probes of which some come from far away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.data.degradation.down_sample import down_sample
from visavis.data.degradation.operator import FacePlace
from visavis.io import Source
from visavis.metrics.verification import threshold_at_fmr
from visavis.pipeline.assess import assess_stream
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.labelled import Labelled
from visavis.quality.landmark_forest import LandmarkForest
from visavis.quality.landmark_geometry import Landmarks
from visavis.quality.landmark_layout import FIVE
from visavis.types import Assessment, Faces, Picture, Templates

_Float = NDArray[np.float64]
_CHUNK = 64
SIDES = (8.0, 48.0)
"""Pixels of the longer side of a face that was moved away, drawn evenly in the logarithm."""
FAR = 0.5
"""Share of the probes that are moved away."""


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Pictures of some people: the first of each person is the reference.

    Attributes:
        name: Of the collection, for the figures.
        sources: Every picture, a person's pictures one after the other.
        people: Person of each picture, int64 ``(N,)``, a row of ``persons``.
        persons: Name of each person.
    """

    name: str
    sources: tuple[Source, ...]
    people: NDArray[np.int64]
    persons: tuple[str, ...]

    @classmethod
    def of(cls, name: str, labelled: Labelled, *, most: int | None = None) -> People:
        """The people with two or more pictures, at most so many of each, in the order of their names."""
        order = sorted(zip(labelled.people, labelled.names, strict=True))
        by_person: dict[str, list[str]] = {}
        for person, picture in order:
            by_person.setdefault(person, []).append(picture)
        kept = {person: pictures[:most] for person, pictures in by_person.items() if len(pictures) > 1}
        whose = [number for number, pictures in enumerate(kept.values()) for _ in pictures]
        sources = tuple(labelled.store.get(picture) for pictures in kept.values() for picture in pictures)
        return cls(name, sources, np.array(whose, np.int64), tuple(kept))

    @property
    def first(self) -> NDArray[np.bool_]:
        """bool ``(N,)``: whether a picture is the first of its person."""
        return np.append(True, np.diff(self.people) > 0)[: len(self.people)]


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Pictures as the pipeline sees them, a row each.

    Attributes:
        templates: Of each.
        faces: Of each.
        landmarks: Of each, in pixels of the picture; of failed rows they do not matter.
        measures: By quality measure, higher is better, NaN for a failed picture.
        accept: bool ``(N,)``, whether the shipped landmark forest accepts the face.
    """

    templates: Templates
    faces: Faces
    landmarks: Landmarks
    measures: dict[str, _Float]
    accept: NDArray[np.bool_]


def seen_from_afar(
    pipeline: Pipeline, sources: Sequence[Source], moved: NDArray[np.bool_], rng: np.random.Generator
) -> Iterator[Picture | Source]:
    """The pictures in order, some of them reduced as if the camera were further away.

    A picture without a face stays as it is.
    """
    least, largest = np.log(SIDES).tolist()
    sides = np.exp(rng.uniform(least, largest, len(sources)))
    for start in range(0, len(sources), _CHUNK):
        rows = range(start, min(start + _CHUNK, len(sources)))
        pictures, faces = pipeline.detect([sources[row] for row in rows], which="central")
        for place, row in enumerate(rows):
            picture = pictures.items[place]
            if moved[row] and picture is not None and faces.ok[place]:
                where = FacePlace(faces.boxes[place], faces.points[place])
                yield Picture(down_sample(picture.pixels, where, float(sides[row]), kernel=cv2.INTER_AREA))
            else:
                yield sources[row]


def frames_of(
    pipeline: Pipeline, pictures: Iterator[Picture | Source], forests: Mapping[str, LandmarkForest]
) -> Frames:
    """Detect, embed and assess pictures, the most central large face of each.

    Args:
        pipeline: From pictures to templates.
        pictures: The pictures.
        forests: Further landmark forests, by the name of the measure that they become.
    """
    parts = list(assess_stream(pipeline, pictures))
    assessment = Assessment.concat([part.assessment for part in parts])
    faces = Faces.concat([part.analysis.faces for part in parts])
    scorers = pipeline.assessor.scorers
    measures = {
        quality.measure: (1.0 if scorers[quality.measure].scale.rising else -1.0) * quality.raw.astype(np.float64)
        for quality in assessment.measures
    }
    measures["fused"] = assessment.fused.raw.astype(np.float64)
    eyes = faces.points[:, 1].astype(np.float64) - faces.points[:, 0]
    measures["eye distance"] = np.linalg.norm(eyes, axis=1)
    landmarks = Landmarks(FIVE, faces.points.astype(np.float64), confidence=faces.score.astype(np.float64))
    for name, forest in forests.items():
        measures[name] = forest.judge(landmarks).quality.astype(np.float64)
    told = assessment.measure("landmark")
    accept = told.status.ok & np.array([not reason for reason in told.reasons], np.bool_)
    return Frames(Templates.concat([part.analysis.templates for part in parts]), faces, landmarks, measures, accept)


@dataclass(frozen=True, slots=True, eq=False)
class Probes:
    """The mated comparisons of probes with the references of their people.

    Attributes:
        similarities: float64 ``(M,)``; NaN, a rejection, where the probe shows no face.
        people: int64 ``(M,)``.
        threshold: The verifier's, fixed once on all non-mated comparisons.
        measures: By quality measure, float64 ``(M,)``, NaN for a failed probe.
        accept: bool ``(M,)``, whether the shipped forest accepts the probe.
        not_enrolled: Number of people whose reference shows no face; they are left out.
    """

    similarities: _Float
    people: NDArray[np.int64]
    threshold: float
    measures: dict[str, _Float]
    accept: NDArray[np.bool_]
    not_enrolled: int


def watch(
    pipeline: Pipeline, people: People, *, fmr: float, rng: np.random.Generator, forests: Mapping[str, LandmarkForest]
) -> Probes | None:
    """Take the pictures as frames and compare each probe with all references; None where nobody can be enrolled.

    Args:
        pipeline: From pictures to templates.
        people: Of whom.
        fmr: False match rate at which the threshold is fixed, on these very comparisons: an oracle threshold.
        rng: Which probes are moved how far.
        forests: Further landmark forests, by the name of the measure that they become.
    """
    first = people.first
    moved = ~first & (rng.random(len(first)) < FAR)
    frames = frames_of(pipeline, seen_from_afar(pipeline, people.sources, moved, rng), forests)
    enrolled = first & frames.templates.ok
    known = np.isin(people.people, people.people[enrolled])
    rows = np.flatnonzero(~first & known)
    if len(np.unique(people.people[enrolled])) < 2 or not len(rows):
        return None
    vectors = frames.templates.vectors.astype(np.float64)
    scores = vectors[rows] @ vectors[enrolled].T
    same = people.people[rows][:, None] == people.people[enrolled][None]
    return Probes(
        similarities=scores[same],
        people=people.people[rows],
        threshold=threshold_at_fmr(scores[~same], fmr),
        measures={name: values[rows] for name, values in frames.measures.items()},
        accept=frames.accept[rows],
        not_enrolled=int((first & ~frames.templates.ok).sum()),
    )
