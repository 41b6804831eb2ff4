"""A tracklet: one stretch of a face, followed from look to look."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visavis.pipeline.tracking.look import Look
from visavis.pipeline.tracking.places import expected, speed_of
from visavis.types import Faces

_BETTER = 10.0
"""Points of quality by which a look is so much better that a vector of it is worth making."""


class Tracklet:
    """A stretch that is being followed. It keeps all places, and the pixels of its best looks only.

    Args:
        first: Its first look.
        keep: So many best looks are kept.
        spacing: Seconds that two of them are apart at least.
    """

    def __init__(self, first: Look, *, keep: int, spacing: float) -> None:
        self._keep, self._spacing = keep, spacing
        self._faces: list[Faces] = []
        self._times: list[float] = []
        self._speed = np.zeros(2)
        self.last = first
        self.best: list[Look] = []
        self.vector: NDArray[np.float32] | None = None
        self._known_by: Look | None = None
        self.add(first)

    def add(self, look: Look) -> None:
        """Take the next look."""
        if self._times:
            seconds = look.time - self.last.time
            self._speed = speed_of(self.last.box, look.box, seconds, earlier=self._speed)
        self.last = look
        self._faces.append(look.face)
        self._times.append(look.time)
        self.best = best_looks([*self.best, look], most=self._keep, spacing=self._spacing)

    @property
    def is_known(self) -> bool:
        """Whether there is a vector of it, made of a look that is about as good as its best one."""
        return self._known_by is not None and self.best[0].quality <= self._known_by.quality + _BETTER

    def know(self, vector: NDArray[np.float32]) -> None:
        """Keep the vector of its best look; NaN where that gave none."""
        self.vector, self._known_by = vector, self.best[0]

    def place(self, time: float) -> NDArray[np.float64]:
        """The box in which the face is expected, xyxy ``(4,)``."""
        return expected(self.last.box, self._speed, time - self.last.time)

    @property
    def times(self) -> NDArray[np.float64]:
        """Seconds of its looks."""
        return np.array(self._times)

    @property
    def faces(self) -> Faces:
        """A row a look."""
        return Faces.concat(self._faces)

    def __len__(self) -> int:
        return len(self._times)


def best_looks(looks: Sequence[Look], *, most: int, spacing: float) -> list[Look]:
    """The looks of the highest quality that are so far apart in time, best first.

    A look that the quality policy refuses at sight comes after all others.

    Args:
        looks: One or more.
        most: How many are wanted.
        spacing: Seconds between any two of them, at least.
    """
    chosen: list[Look] = []
    for look in sorted(looks, key=lambda one: (not one.fit, -one.quality, one.time)):
        if len(chosen) < most and all(abs(look.time - other.time) >= spacing - 1e-6 for other in chosen):
            chosen.append(look)
    return chosen
