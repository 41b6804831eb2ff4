"""Take the pictures of one person as a side of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import NoFaceError, UnreadableError, UsageError
from visavis.io._unreadable import printable
from visavis.pipeline.inputs import opened
from visavis.pipeline.side import Side
from visavis.recognition.pooling import pool
from visavis.types import FaceContext, Faces, Failure, Pictures
from visavis.types.protocols import Detector

if TYPE_CHECKING:
    from visavis.pipeline.pipeline import Pipeline


def side_of(pipeline: Pipeline, sources: Sequence[Any], *, min_side: int) -> Side:
    """The pictures of one person with one pooled template; the most central large face of each counts.

    Args:
        pipeline: Detects, aligns, embeds and assesses.
        sources: One or more pictures, as for `visavis.io.read`.
        min_side: As for `visavis.io.read`.

    Raises:
        UnreadableError: A picture cannot be read.
        NoFaceError: A picture without a face.
        UsageError: No pictures.
    """
    if not len(sources):
        raise UsageError("a side of a comparison needs at least one picture")
    found = [opened(source, min_side=min_side) for source in sources]
    inputs = tuple(record for _, record in found)
    pictures = Pictures.of([picture for picture, _ in found], sources=[record.name for record in inputs])
    faces, counts = _central(pipeline.detector, pictures)
    crops = pipeline.aligner.align(pictures, faces)
    templates = pipeline.embedder.embed(crops)
    for row, failure in enumerate(templates.status):
        if failure is not None:
            raise _refusal(pictures.sources[row], failure)
    warnings = [
        f"{printable(pictures.sources[row])} shows {counts[row]} faces; the most central large one was compared"
        for row in np.flatnonzero(counts > 1)
    ]
    assessment = pipeline.assessor.assess(FaceContext(pictures, faces, crops, templates))
    pooled = pool(templates, weights=assessment.fused.score)
    unfit = pipeline.assessor.unfit(assessment)
    return Side(inputs, pictures, faces, crops, templates, pooled, assessment, unfit, tuple(warnings))


def _central(detector: Detector, pictures: Pictures) -> tuple[Faces, NDArray[np.intp]]:
    """The most central large face of each picture, and how many faces each shows."""
    everyone = detector.detect(pictures)
    counts = np.bincount(everyone.picture, minlength=len(pictures))
    parts = []
    for row in range(len(pictures)):
        of_this = everyone[everyone.picture == row]
        failure = of_this.status.failures[0]
        if failure is not None:
            raise _refusal(pictures.sources[row], failure)
        if len(of_this) > 1:
            # The choice is made on the first look's boxes, as in `embed`, so that both take the same face.
            alone = detector.detect(pictures[row], which="central")
            of_this = Faces(alone.boxes, alone.score, alone.points, np.array([row]), alone.status)
        parts.append(of_this)
    return Faces.concat(parts), counts


def _refusal(source: str, failure: Failure) -> UnreadableError | NoFaceError:
    """The error for a picture that a comparison cannot do without."""
    kind = UnreadableError if failure.reason.startswith("unreadable") else NoFaceError
    named = bool(source) and printable(source) in failure.message
    return kind(failure.message if named else f"{printable(source)}: {failure.message}", reason=failure.reason)
