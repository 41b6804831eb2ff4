"""From looks to tracklets: which face of a frame is which face of the frame before."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from visavis.pipeline.assignment import assign
from visavis.pipeline.tracking.look import Look, SeenFrame
from visavis.pipeline.tracking.places import overlaps
from visavis.pipeline.tracking.scene import is_cut
from visavis.pipeline.tracking.settings import TrackSettings
from visavis.pipeline.tracking.tracklet import Tracklet

Compare = Callable[[Sequence[Look]], NDArray[np.float32]]
"""From looks to unit vectors ``(N, D)``; NaN where a face gives none."""


class Linker:
    """Follows faces from look to look; frames come in order.

    A face goes on with the tracklet in whose expected place it lies when nobody else comes into question for either
    and the two aligned faces look alike. Where several come into question, the overlap is small, or the face looks
    different, the recogniser decides: the similarity must pass a threshold. So faces that cross do not change names;
    where it cannot be told who is who, a tracklet ends and another begins. A change of scene ends all.

    Args:
        settings: The numbers.
        compare: Makes vectors where place alone does not decide; None where faces are only detected: place decides.
        threshold: Least similarity of two looks of one person.

    Attributes:
        cuts: Seconds at which the scene changed.
    """

    def __init__(self, settings: TrackSettings, *, compare: Compare | None = None, threshold: float = 0.0) -> None:
        self._settings, self._compare, self._threshold = settings, compare, threshold
        self._open: list[Tracklet] = []
        self._scene: NDArray[np.uint8] | None = None
        self._last_time = -np.inf
        self._interval = 0.0
        self.cuts: list[float] = []

    @property
    def gap(self) -> float:
        """Seconds that a face may be away."""
        return max(self._settings.gap, 2.5 * self._interval)

    def add(self, seen: SeenFrame) -> list[Tracklet]:
        """Take the next frame.

        Returns:
            The tracklets that ended.
        """
        if np.isfinite(self._last_time):
            step = seen.time - self._last_time
            self._interval = step if not self._interval else 0.9 * self._interval + 0.1 * step
        self._last_time = seen.time
        ended = self._ended(seen)
        left = self._link(seen)
        settings = self._settings
        self._open += [Tracklet(look, keep=settings.keep, spacing=settings.spacing) for look in left]
        return ended

    def rest(self) -> list[Tracklet]:
        """The tracklets that were open at the end of the clip."""
        ended, self._open = self._open, []
        return ended

    def _ended(self, seen: SeenFrame) -> list[Tracklet]:
        cut = self._scene is not None and is_cut(self._scene, seen.scene)
        self._scene = seen.scene
        if cut:
            self.cuts.append(seen.time)
            return self.rest()
        late = [one for one in self._open if seen.time - one.last.time > self.gap]
        self._open = [one for one in self._open if seen.time - one.last.time <= self.gap]
        return late

    def _link(self, seen: SeenFrame) -> list[Look]:
        """Add the looks to their tracklets; those that begin new ones are returned."""
        if not self._open or not seen.looks:
            return list(seen.looks)
        chosen = assign(self._evidence(seen).T)
        for look, row in zip(seen.looks, chosen.tolist(), strict=True):
            if row >= 0:
                self._open[row].add(look)
        return [look for look, row in zip(seen.looks, chosen.tolist(), strict=True) if row < 0]

    def _evidence(self, seen: SeenFrame) -> NDArray[np.float64]:
        """By how much each tracklet (row) and look (column) belong together; NaN where they cannot."""
        places = np.array([one.place(seen.time) for one in self._open])
        overlap = overlaps(places, [look.box for look in seen.looks])
        if self._compare is None:
            return np.where(overlap >= self._settings.overlap, overlap, np.nan)
        possible = (overlap >= self._settings.near) | _close(places, np.array([look.box for look in seen.looks]))
        alone = possible & (possible.sum(axis=0) == 1) & (possible.sum(axis=1, keepdims=True) == 1)
        alike = np.array([[one.last.sketch @ look.sketch for look in seen.looks] for one in self._open])
        clear = alone & (overlap >= self._settings.overlap) & (alike >= self._settings.alike)
        evidence = np.where(clear, 1.0, np.nan)
        doubtful = possible & ~clear
        if doubtful.any():
            similar = self._similarity(np.flatnonzero(doubtful.any(axis=1)), np.flatnonzero(doubtful.any(axis=0)), seen)
            evidence = np.where(doubtful, similar - self._threshold, evidence)
        return evidence

    def _similarity(self, rows: NDArray[np.intp], columns: NDArray[np.intp], seen: SeenFrame) -> NDArray[np.float64]:
        assert self._compare is not None, "asked for only where there is something that compares"
        stale = [number for number in rows.tolist() if not self._open[number].is_known]
        asked = [
            *(self._open[number].best[0] for number in stale),
            *(seen.looks[column] for column in columns.tolist()),
        ]
        vectors = self._compare(asked)
        for number, vector in zip(stale, vectors, strict=False):
            self._open[number].know(vector)
        known = np.array([self._open[number].vector for number in rows.tolist()], np.float64)
        similar = np.full((len(self._open), len(seen.looks)), np.nan)
        similar[np.ix_(rows, columns)] = known @ vectors[len(stale) :].T
        return similar


def _close(places: NDArray[np.float64], boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether two boxes are less than one of their sides apart, centre to centre, and of about one size."""
    centres = [(some[:, :2] + some[:, 2:]) / 2 for some in (places, boxes)]
    sides = [(some[:, 2:] - some[:, :2]).max(axis=1) for some in (places, boxes)]
    apart = np.linalg.norm(centres[0][:, None] - centres[1][None], axis=2)
    smaller = np.minimum(sides[0][:, None], sides[1][None])
    larger = np.maximum(sides[0][:, None], sides[1][None])
    close: NDArray[np.bool_] = (apart < smaller) & (larger < 2 * smaller)
    return close
