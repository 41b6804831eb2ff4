"""Assess the faces of pictures with a pipeline: quality, and whether a face keeps the limits of the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from visavis.pipeline.context import context_of, embedded
from visavis.pipeline.pipeline import Pipeline
from visavis.pipeline.portions import chunks, shifted
from visavis.runtime.workers import ordered_map
from visavis.selection import Select
from visavis.types import Analysis, Assessment

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
        context = context_of(pipeline, pictures, faces)
        assessment = assessor.assess(context)
        names = tuple(pictures.sources[int(row)] for row in faces.picture)
        analysis = Analysis(names, shifted(faces, number * _CHUNK), embedded(context))
        return Assessed(analysis, assessment, assessor.unfit(assessment))

    yield from ordered_map(chunk, enumerate(chunks(sources, _CHUNK)), workers=pipeline.engine.workers)
