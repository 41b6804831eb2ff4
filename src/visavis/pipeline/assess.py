"""Assess the faces of pictures with a pipeline: quality, and whether a face keeps the limits of the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from visavis.pipeline.pipeline import Pipeline
from visavis.runtime.workers import ordered_map
from visavis.selection import Select
from visavis.types import Analysis, Assessment, FaceContext, Faces

_CHUNK = 8
"""Pictures that a worker holds at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Assessed:
    """Faces and templates of pictures with their quality, a row per face.

    Attributes:
        analysis: Sources, faces and templates; ``faces.picture`` counts over the whole run.
        assessment: Every measure and the fused score.
        unfit: Per face, each limit of the model that it fails.
    """

    analysis: Analysis
    assessment: Assessment
    unfit: tuple[tuple[str, ...], ...]


def assess_stream(pipeline: Pipeline, sources: Iterable[Any], *, which: Select = "central") -> Iterator[Assessed]:
    """Assess pictures in order, some at a time and in bounded memory.

    Args:
        pipeline: From pictures to templates.
        sources: Paths, bytes, arrays, `Picture` objects.
        which: ``central``: one face a picture; ``largest``; ``all``.
    """
    assessor = pipeline.assessor

    def chunk(item: tuple[int, list[Any]]) -> Assessed:
        number, some = item
        pictures, faces = pipeline.detect(some, which=which)
        crops = pipeline.aligner.align(pictures, faces)
        templates = pipeline.embedder.embed(crops)
        assessment = assessor.assess(FaceContext(pictures, faces, crops, templates))
        names = tuple(pictures.sources[int(row)] for row in faces.picture)
        counted = Faces(faces.boxes, faces.score, faces.points, faces.picture + number * _CHUNK, faces.status)
        return Assessed(Analysis(names, counted, templates), assessment, assessor.unfit(assessment))

    yield from ordered_map(chunk, enumerate(_chunks(sources)), workers=pipeline.engine.workers)


def _chunks(sources: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(sources)
    while some := list(islice(iterator, _CHUNK)):
        yield some
