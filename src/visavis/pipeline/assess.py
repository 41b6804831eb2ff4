"""Assess the faces of pictures with a pipeline: quality, and whether a face keeps the limits of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from visavis.pipeline.context import context_of, embedded
from visavis.pipeline.fitness import Reasons, fitness_of
from visavis.pipeline.pipeline import Pipeline
from visavis.pipeline.portions import chunks, shifted
from visavis.runtime.workers import ordered_map
from visavis.selection import Select
from visavis.types import Analysis, Assessment, FaceContext

_CHUNK = 8
"""Pictures that a worker holds at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Assessed:
    """Faces and templates of pictures with their quality, a row per face.

    Attributes:
        analysis: Sources, faces and templates; ``faces.picture`` counts over the whole run.
        assessment: Every measure and the fused score.
        unfit: Per face, why the quality policy of the pipeline refuses it.
        also: What was asked for beside it, of the same faces; None where nothing was.
    """

    analysis: Analysis
    assessment: Assessment
    unfit: Reasons
    also: Any = None


def assess_stream(
    pipeline: Pipeline,
    sources: Iterable[Any],
    *,
    which: Select = "central",
    also: Callable[[FaceContext], Any] | None = None,
) -> Iterator[Assessed]:
    """Assess pictures in order, some at a time and in bounded memory.

    Args:
        pipeline: From pictures to templates.
        sources: Paths, bytes, arrays, `Picture` objects.
        which: ``central``: one face a picture; ``largest``; ``all``.
        also: What else to make of the faces of each portion while their pictures are at hand, for example
            `visavis.quality.standard.assess.assess_standard`; it goes to `Assessed.also`.
    """

    def chunk(item: tuple[int, list[Any]]) -> Assessed:
        number, some = item
        pictures, faces = pipeline.detect(some, which=which)
        context = context_of(pipeline, pictures, faces)
        fitness = fitness_of(pipeline, context)
        names = tuple(pictures.sources[int(row)] for row in faces.picture)
        analysis = Analysis(names, shifted(faces, number * _CHUNK), embedded(context))
        return Assessed(analysis, fitness.assessment, fitness.unfit, None if also is None else also(context))

    yield from ordered_map(chunk, enumerate(chunks(sources, _CHUNK)), workers=pipeline.engine.workers)
