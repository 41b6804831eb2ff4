"""Times of the frames of a video that rise, whatever the file tells."""

from __future__ import annotations

from collections.abc import Callable

_BEHIND = 1e-3
"""A frame that is told a little too early counts so many seconds later than the one before."""
_BACK = 2.0
"""Intervals by which a time may go back before the clock of the file counts as started again."""
_FORWARD = 10.0
"""Seconds, and intervals, by which a time may go on at once."""


class FrameTimes:
    """Seconds of frames, one after the other.

    Where the clock of a file starts again or leaps, as in recordings that were put one behind the other, the next
    frame follows the one before by one interval, and those after it keep their distance to it.

    Args:
        interval: Seconds between two frames, on average.
        known: Seconds up to which a leap forward is a pause and no fault: those that the file announces.
        tell: Takes what the reader must know, once each.

    Attributes:
        last: Seconds of the last frame; -1 before the first.
        leaps: How often the clock was set.
    """

    def __init__(self, interval: float, known: float, tell: Callable[[str], None]) -> None:
        self._interval, self._known, self._tell = interval, known, tell
        self._offset = 0.0
        self.last = -1.0
        self.leaps = 0

    def at(self, told: float | None) -> float:
        """Seconds of the next frame.

        Args:
            told: What the file says; None where it does not.
        """
        if told is None:
            self._tell(f"it holds no times of its frames; {1 / self._interval:.3g} frames a second were assumed")
            self.last = self.last + self._interval if self.last >= 0 else 0.0
            return self.last
        time = told + self._offset
        if self.last >= 0:
            if self._leaps(time):
                self._tell("the clock of the file starts again or leaps; its times were counted on from there")
                self.leaps += 1
                self._offset += self.last + self._interval - time
                time = self.last + self._interval
            time = max(time, self.last + _BEHIND)
        self.last = max(time, 0.0)
        return self.last

    def _leaps(self, time: float) -> bool:
        step = time - self.last
        if step < 0:
            return step < -_BACK * self._interval
        return step > _FORWARD * max(1.0, self._interval) and time > self._known
