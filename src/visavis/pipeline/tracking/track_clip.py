"""The faces of a clip, followed through it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from visavis.calibration.table import Calibration
from visavis.errors import ModelError
from visavis.io.clip import Clip
from visavis.io.clip_frames import ClipFrames
from visavis.pipeline.pipeline import Pipeline
from visavis.pipeline.tracking.joining import join
from visavis.pipeline.tracking.linker import Linker
from visavis.pipeline.tracking.look import FaceRoad, Look, context_of_looks, see
from visavis.pipeline.tracking.settings import TrackSettings
from visavis.pipeline.tracking.stretch import Stretch, stretch_of
from visavis.pipeline.tracking.tracklet import Tracklet
from visavis.runtime.workers import ordered_map
from visavis.selection import Select
from visavis.types import FMR, Faces
from visavis.types.clip_tracks import ClipFacts, ClipTracks
from visavis.types.track import Span, Track

Watch = Callable[[float, float], None]
"""Called with the second of the clip that was reached, and the last one, 0 where that is not known."""


def track_clip(
    road: FaceRoad,
    clip: Clip,
    *,
    calibration: Calibration | None,
    settings: TrackSettings | None = None,
    workers: int = 1,
    which: Select = "all",
    watch: Watch | None = None,
) -> ClipTracks:
    """Follow the faces of a clip, in memory that grows with the tracks and not with the pixels.

    Faces are detected, aligned and assessed in every frame that is looked at. Templates are made of the best frames of
    each stretch, `TrackSettings.keep` at most, and of faces of which place does not tell who they are. Stretches that
    agree are joined: a person who leaves and comes back, or is seen again after a change of scene, is one track.

    Args:
        road: A pipeline. With a `DetectionRoad` no template is made: place alone decides, and nothing is joined.
        clip: What to look at.
        calibration: Of the road's template space: its threshold tells one person from two. None joins nothing.
        settings: The numbers; the defaults when None.
        workers: Threads that look at frames side by side.
        which: ``all`` faces of each frame, or ``largest`` or ``central``.
        watch: Told how far it is.

    Raises:
        UnreadableError: The clip cannot be opened, or nothing of it can be decoded.
    """
    begin = time.perf_counter()
    settings = settings or TrackSettings()
    frames = clip.frames(threads=workers)
    tracking = _Tracking(road, settings, _same(calibration, settings))
    for seen in ordered_map(lambda frame: see(road, frame, which=which), frames, workers=workers):
        tracking.take(tracking.linker.add(seen))
        if watch is not None:
            watch(seen.time, frames.reach)
    tracking.take(tracking.linker.rest())
    parts, notes = tracking.stretches, list(frames.notes)
    if tracking.embeds and calibration is None:
        notes.append("stretches of one person are not joined: there is no calibration for this model")
    if tracking.embeds and calibration is not None:
        parts = join(parts, calibration=calibration, at=FMR(settings.same), keep=settings.keep)
    facts = _facts(frames, tracking, time.perf_counter() - begin, notes)
    return _tracks(parts, tracking.linker.gap, settings, facts)


def usable_calibration(find: Callable[[], Calibration]) -> Calibration | None:
    """The calibration of a pipeline, None where there is none for its space."""
    try:
        return find()
    except ModelError as error:
        if error.reason != "calibration.missing":
            raise
        return None


def _same(calibration: Calibration | None, settings: TrackSettings) -> float:
    """Least similarity of two single faces of one person; without a calibration none is enough."""
    return np.inf if calibration is None else calibration.threshold(FMR(settings.same))


class _Tracking:
    """The linker, and what became of its tracklets."""

    def __init__(self, road: FaceRoad, settings: TrackSettings, threshold: float) -> None:
        self.road = road
        self.embeds = isinstance(road, Pipeline)
        self.linker = Linker(settings, compare=self._vectors if self.embeds else None, threshold=threshold)
        self.stretches: list[Stretch] = []
        self.embedded = 0

    def take(self, ended: Sequence[Tracklet]) -> None:
        """Embed what ended."""
        for tracklet in ended:
            made = stretch_of(self.road, tracklet)
            self.embedded += len(tracklet.best) if self.embeds else 0
            self.stretches.append(made)

    def _vectors(self, looks: Sequence[Look]) -> NDArray[np.float32]:
        self.embedded += len(looks)
        templates = context_of_looks(self.road, looks).templates
        assert templates is not None, "the linker asks only a road that embeds"
        return templates.vectors


def _facts(frames: ClipFrames, tracking: _Tracking, took: float, notes: Sequence[str]) -> ClipFacts:
    return ClipFacts(
        name=frames.clip.name,
        format=frames.format,
        start=frames.clip.start,
        seconds=frames.span,
        frames=frames.passed,
        looked=frames.looked,
        embedded=tracking.embedded,
        cuts=tuple(tracking.linker.cuts),
        took=took,
        notes=tuple(notes),
    )


def _tracks(parts: Sequence[Stretch], gap: float, settings: TrackSettings, facts: ClipFacts) -> ClipTracks:
    """Number the stretches that were seen often enough; the others are loose faces."""
    least = min(settings.looks, facts.looked)
    kept = [part for part in parts if len(part.times) >= least and part.best]
    rest = [part for part in parts if not (len(part.times) >= least and part.best)]
    tracks = tuple(
        Track(number, part.times, part.faces, spans_of(part.times, gap), part.best, part.templates, part.pooled)
        for number, part in enumerate(sorted(kept, key=_first), 1)
    )
    times = np.concatenate([part.times for part in rest]) if rest else np.empty(0)
    return ClipTracks(tracks, Faces.concat([part.faces for part in rest]), times, facts)


def _first(part: Stretch) -> tuple[float, ...]:
    """When and where a stretch begins, from the left."""
    return float(part.times[0]), *part.faces.boxes[0].tolist()


def spans_of(times: NDArray[np.float64], gap: float) -> tuple[Span, ...]:
    """The stretches of rising times between which no more than a gap lies.

    Example:
        >>> spans_of(np.array([0.0, 0.1, 2.0, 2.2]), 0.5)
        ((0.0, 0.1), (2.0, 2.2))
    """
    breaks = np.flatnonzero(np.diff(times) > gap + 1e-6) + 1
    return tuple((float(part[0]), float(part[-1])) for part in np.split(times, breaks))
