"""Templates of pictures whose five points are known, so that nothing need be detected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.alignment.five_point import FivePointAligner
from visavis.calibration.table import Calibration, shipped
from visavis.errors import InputError, ModelError, UsageError
from visavis.geometry import ARCFACE_112, TEMPLATES
from visavis.io import read_batch
from visavis.pipeline.models import calibration_beside
from visavis.pipeline.pipeline import CHUNK, Pipeline
from visavis.protocols.labelled import Progress
from visavis.protocols.protocol_result import Recogniser
from visavis.runtime.workers import ordered_map
from visavis.types import Crops, Faces, Failure, Pictures, Status, Templates, TemplateSpace

GIVEN = "given"
"""The tag of points that no detector of ours placed."""


def given_space(pipeline: Pipeline) -> TemplateSpace:
    """The space of the pipeline's recogniser on crops that no detector of ours placed."""
    return pipeline.embedder.space(GIVEN)


def space_calibration(pipeline: Pipeline, space: TemplateSpace) -> Calibration | None:
    """The calibration of a space of its recogniser: the one beside the model's file, else a shipped one, else none."""
    try:
        return calibration_beside(pipeline.embedder, space.fingerprint) or shipped(space.fingerprint)
    except ModelError:
        return None


def recogniser_of(pipeline: Pipeline, space: TemplateSpace) -> Recogniser:
    """What a result says about the pipeline's recogniser."""
    card = getattr(pipeline.embedder, "card", None)
    return Recogniser(
        model=pipeline.made_by.model,
        space=space.fingerprint,
        made_by=pipeline.made_by.to_dict(),
        notes=() if card is None else tuple(card.notes),
    )


def stream_templates(
    pipeline: Pipeline,
    sources: Sequence[Any],
    *,
    points: NDArray[np.float32] | None = None,
    mirror: bool = False,
    progress: Progress | None = None,
) -> Iterator[Templates]:
    """Templates of pictures in order, some at a time, on all workers of the pipeline.

    Args:
        pipeline: Its recogniser is used, and not its detector.
        sources: The pictures.
        points: float32 ``(N, 5, 2)``: the five points of each in pixels; None for square crops that are aligned by
            the ArcFace template already.
        mirror: Use the mirror image of each crop instead.
        progress: Called with the number of pictures done and of all.

    Raises:
        UsageError: Not five points a picture.
    """
    if points is not None and points.shape != (len(sources), 5, 2):
        raise UsageError(f"points must be ({len(sources)}, 5, 2); got {points.shape}")
    aligner = FivePointAligner(TEMPLATES[pipeline.space.crop], detector=GIVEN)

    def chunk(start: int) -> Templates:
        rows = slice(start, start + CHUNK)
        pictures = read_batch(sources[rows])
        faces = _ready(pictures) if points is None else _faces(pictures, points[rows])
        crops = aligner.align(pictures, faces)
        if mirror:
            crops = Crops(crops.pixels[:, :, ::-1], crops.matrices, crops.template, crops.status, crops.detector)
        return pipeline.embedder.embed(crops)

    done = 0
    for templates in ordered_map(chunk, range(0, len(sources), CHUNK), workers=pipeline.engine.workers):
        done += len(templates)
        if progress is not None:
            progress(done, len(sources))
        yield templates


def picture_templates(
    pipeline: Pipeline, sources: Sequence[Any], *, aligned: bool, progress: Progress | None = None
) -> Iterator[Templates]:
    """Templates of pictures in order, some at a time: of the most central large face, or of crops aligned already.

    Args:
        pipeline: From pictures to templates.
        sources: The pictures.
        aligned: The pictures are square crops by the ArcFace template; nothing is detected.
        progress: Called with the number of pictures done and of all.
    """
    if aligned:
        yield from stream_templates(pipeline, sources, progress=progress)
        return
    done = 0
    for part in pipeline.stream(sources):
        done += len(part)
        if progress is not None:
            progress(done, len(sources))
        yield part.templates


def picture_space(pipeline: Pipeline, *, aligned: bool) -> TemplateSpace:
    """The space of those templates."""
    return given_space(pipeline) if aligned else pipeline.space


def picture_calibration(pipeline: Pipeline, *, aligned: bool) -> Calibration | None:
    """The calibration of that space, or none."""
    if aligned:
        return space_calibration(pipeline, given_space(pipeline))
    try:
        return pipeline.calibration()
    except ModelError:
        return None


def raw_vectors(templates: Templates) -> NDArray[np.float32]:
    """The embeddings before they were brought to unit norm; NaN for failed rows."""
    return templates.vectors * templates.norms[:, None]


def failed_reasons(status: Status) -> dict[str, int]:
    """How many rows failed, by reason."""
    return dict(Counter(failure.reason for failure in status if failure is not None))


def require_one(status: Status) -> None:
    """Refuse a set of which no picture gave a template.

    Raises:
        InputError: All failed; the message is that of the first.
    """
    if not status.ok.any():
        first = next((failure for failure in status if failure is not None), None)
        told = "there are none" if first is None else f"the first: {first.message}"
        raise InputError(f"none of the {len(status)} pictures gave a template; {told}")


def _ready(pictures: Pictures) -> Faces:
    """The points of the ArcFace template at the size of each picture; one that is not square fails."""
    items = []
    points = np.zeros((len(pictures), 5, 2), np.float32)
    for row, picture in enumerate(pictures.items):
        failure = pictures.status.failures[row]
        if picture is not None:
            height, width = picture.pixels.shape[:2]
            points[row] = (ARCFACE_112.array() + 0.5) * (width / ARCFACE_112.width) - 0.5
            if height != width:
                failure = Failure(
                    "crop-size",
                    f"{picture.source}: {width} x {height} pixels; an aligned crop by the ArcFace template is square",
                )
        items.append(failure)
    return _faces(pictures, points, Status(tuple(items)))


def _faces(pictures: Pictures, points: NDArray[np.float32], status: Status | None = None) -> Faces:
    status = status or pictures.status
    good = status.ok & np.isfinite(points).all(axis=(1, 2))
    failures = tuple(
        failure or (None if fine else Failure("landmarks", f"{source}: the five points are not numbers"))
        for failure, fine, source in zip(status, good, pictures.sources, strict=True)
    )
    given = np.where(good[:, None, None], points, np.nan).astype(np.float32)
    boxes = np.concatenate([given.min(axis=1), given.max(axis=1)], axis=1)
    score = np.where(good, np.float32(1), np.float32(np.nan)).astype(np.float32)
    return Faces(boxes, score, given, np.arange(len(given), dtype=np.int64), Status(failures))
