"""Take the pictures of one person as a side of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import NoFaceError, UnreadableError, UsageError
from visavis.io._unreadable import printable
from visavis.pipeline.central import central_faces
from visavis.pipeline.context import context_of, embedded
from visavis.pipeline.fitness import Reasons, fitness_of, let_pass
from visavis.pipeline.inputs import opened
from visavis.pipeline.side import Side
from visavis.recognition.pooling import pool
from visavis.types import Failure, Pictures, Status
from visavis.types.pooled import best_pictures

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
    faces, counts = central_faces(pipeline.detector, pictures)
    _require_all(pictures, faces.status)
    context = context_of(pipeline, pictures, faces)
    templates = embedded(context)
    _require_all(pictures, templates.status)
    warnings = [
        f"{printable(pictures.sources[row])} shows {counts[row]} faces; the most central large one was compared"
        for row in np.flatnonzero(counts > 1)
    ]
    fitness = fitness_of(pipeline, context)
    quality = fitness.assessment.fused.score
    chosen = None
    if pipeline.pooling == "best" and len(templates) > 1:
        quality = _of_fit_ones(quality, fitness.unfit)
        chosen = int(best_pictures(quality)[0])
        warnings.append(_not_used(pictures.sources, chosen, fitness.unfit))
    pooled = pool(templates, by=pipeline.pooling, quality=quality)
    rows = slice(None) if chosen is None else slice(chosen, chosen + 1)
    warnings += let_pass(pictures.sources[rows], fitness.unfit[rows], fitness.short[rows], pipeline.quality_policy.name)
    return Side(
        inputs,
        pictures,
        faces,
        context.crops,
        templates,
        pooled,
        fitness.assessment,
        fitness.unfit,
        fitness.short,
        tuple(warnings),
        chosen,
    )


def _of_fit_ones(quality: NDArray[np.floating], unfit: Reasons) -> NDArray[np.floating]:
    """The quality of the pictures that the policy passes, NaN of the others; of all where it passes none."""
    fit = np.array([not reasons for reasons in unfit])
    return np.where(fit, quality, np.nan) if fit.any() else quality


def _not_used(sources: Sequence[str], chosen: int, unfit: Reasons) -> str:
    others = [
        f"{printable(source)}{' (refused)' if unfit[row] else ''}"
        for row, source in enumerate(sources)
        if row != chosen
    ]
    return (
        f"only {printable(sources[chosen])}, the best picture of its side, was compared; not used: {', '.join(others)}"
    )


def _require_all(pictures: Pictures, status: Status) -> None:
    for source, failure in zip(pictures.sources, status, strict=True):
        if failure is not None:
            raise _refusal(source, failure)


def _refusal(source: str, failure: Failure) -> UnreadableError | NoFaceError:
    """The error for a picture that a comparison cannot do without."""
    kind = UnreadableError if failure.reason.startswith("unreadable") else NoFaceError
    named = bool(source) and printable(source) in failure.message
    return kind(failure.message if named else f"{printable(source)}: {failure.message}", reason=failure.reason)
