"""A stretch: a tracklet that ended, with its best frames embedded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.pipeline.fitness import fitness_of
from visavis.pipeline.pipeline import Pipeline
from visavis.pipeline.tracking.look import FaceRoad, Look, context_of_looks
from visavis.pipeline.tracking.tracklet import Tracklet
from visavis.recognition.pooling import pool
from visavis.types import Faces, Templates
from visavis.types.track import TrackFrame


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A part of a track, without a gap.

    Attributes:
        times: float64 ``(N,)``: seconds of its looks.
        faces: A row a look.
        best: The frames that stand for it, best first; none where no face could be used.
        templates: A row for each of them; None where faces are only detected.
    """

    times: NDArray[np.float64]
    faces: Faces
    best: tuple[TrackFrame, ...]
    templates: Templates | None

    @property
    def pooled(self) -> Templates | None:
        """The one template, weighed by quality; None without templates."""
        return None if self.templates is None else pooled_best(self.templates)


def stretch_of(road: FaceRoad, tracklet: Tracklet) -> Stretch:
    """Embed the best looks of a tracklet, assess them again with the embedding's norm, and let go of the pixels.

    Frames that the quality policy refuses are left out, unless it refuses all.
    """
    looks = tracklet.best
    context = context_of_looks(road, looks)
    if isinstance(road, Pipeline):
        fitness = fitness_of(road, context)
        assessment, unfit = fitness.assessment, fitness.unfit
    else:
        assessment, unfit = road.assessor.assess(context), ((),) * len(looks)
    score = np.nan_to_num(assessment.fused.score, nan=-1.0)
    order = sorted(np.flatnonzero(context.status.ok).tolist(), key=lambda row: (bool(unfit[row]), -score[row]))
    if order and not unfit[order[0]]:
        order = [row for row in order if not unfit[row]]
    best = tuple(_frame(looks[row], float(score[row]), unfit[row], context.crops.pixels[row]) for row in order)
    templates = None
    if context.templates is not None and order:
        made = context.templates[order]
        quality = np.array([frame.quality for frame in best], np.float32)
        templates = Templates(made.vectors, made.norms, made.status, quality, made.space, made.made_by)
    return Stretch(tracklet.times, tracklet.faces, best, templates)


def joined(parts: list[Stretch], *, keep: int) -> Stretch:
    """Stretches of one face as one, with the best frames of them all.

    Args:
        parts: One or more, of different times.
        keep: So many frames at most.
    """
    ordered = sorted(parts, key=lambda part: float(part.times[0]))
    frames = [frame for part in ordered for frame in part.best]
    order = sorted(range(len(frames)), key=lambda row: (bool(frames[row].unfit), -frames[row].quality))[:keep]
    if order and not frames[order[0]].unfit:
        order = [row for row in order if not frames[row].unfit]
    made = [part.templates for part in ordered if part.templates is not None]
    return Stretch(
        np.concatenate([part.times for part in ordered]),
        Faces.concat([part.faces for part in ordered]),
        tuple(frames[row] for row in order),
        Templates.concat(made)[order] if made else None,
    )


def pooled_best(templates: Templates) -> Templates:
    """One template of those of a track's best frames, weighed by quality."""
    return pool(templates, by="quality")


def _frame(look: Look, quality: float, unfit: tuple[str, ...], crop: NDArray[np.uint8]) -> TrackFrame:
    x0, y0, x1, y1 = (float(value) for value in look.box)
    score = float(look.face.score[0])
    return TrackFrame(look.number, look.time, (x0, y0, x1, y1), score, max(quality, 0.0), unfit, crop.copy())
