"""Which frames of a track go to the verifier: the best of a window, and again when a clearly better one comes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

from visavis.errors import UsageError


@dataclass(slots=True)
class _Track:
    window: deque[tuple[float, int]]
    seen: int = 0
    sent: float | None = None


@dataclass(slots=True)
class FrameScreen:
    """Keeps the best frame of each track in a sliding window, and says when to send it.

    The best accepted frame is sent once the window is full or the track ends: one frame a track. After that a frame is
    sent only when it is better than the best sent one by ``gain``. Safe to share between threads.

    Attributes:
        threshold: The least quality of a frame that is sent.
        window: Number of frames that are waited for, and looked back at.
        gain: By how much a later frame must be better.

    Raises:
        UsageError: A window below 1, or a gain that is not above 0.

    Example:
        >>> screen = FrameScreen(threshold=0.5, window=3)
        >>> [screen.push("a", frame, quality) for frame, quality in enumerate([0.6, 0.9, 0.4, 0.95, 1.0])]
        [None, None, 1, None, 4]
    """

    threshold: float = 0.5
    window: int = 15
    gain: float = 0.1
    _tracks: dict[Hashable, _Track] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.window < 1 or not self.gain > 0:
            raise UsageError(f"a window has 1 frame or more, a gain is above 0; got {self.window} and {self.gain}")

    def push(self, track: Hashable, frame: int, quality: float) -> int | None:
        """Take a frame of a track; NaN is a frame whose face failed.

        Returns:
            The number of the frame to send now, or None.
        """
        with self._lock:
            state = self._tracks.setdefault(track, _Track(deque(maxlen=self.window)))
            state.seen += 1
            state.window.append((quality, frame))
            if state.sent is None and state.seen < self.window:
                return None
            return self._send(state)

    def close(self, track: Hashable) -> int | None:
        """End a track and forget it.

        Returns:
            The number of its best frame if none was sent and one is good enough, or None.
        """
        with self._lock:
            state = self._tracks.pop(track, None)
            return None if state is None or state.sent is not None else self._send(state)

    def _send(self, state: _Track) -> int | None:
        least = self.threshold if state.sent is None else max(self.threshold, state.sent + self.gain - 1e-9)
        fitting = [one for one in state.window if one[0] >= least]
        if not fitting:
            return None
        state.sent, frame = max(fitting, key=lambda one: one[0])
        return frame
