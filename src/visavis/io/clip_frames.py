"""The frames of a clip that are looked at, with their times and all that went wrong on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UnreadableError, UsageError
from visavis.io._unreadable import unreadable
from visavis.io.clip import Clip
from visavis.io.files import is_folder
from visavis.io.limits import Limits, default_limits
from visavis.types.pictures import Picture

_EXACT = 1e-6
"""Times of frames are sums of fractions; so far they may be off."""


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A frame before it is known whether anybody wants its pixels.

    Attributes:
        time: Seconds from the beginning of the clip.
        pixels: Makes the pixels: uint8 RGB ``(H, W, 3)``, upright; raises `UnreadableError` where that cannot be done.
    """

    time: float
    pixels: Callable[[], NDArray[np.uint8]]


@dataclass(slots=True)
class ReadingNotes:
    """What is known of a clip besides its frames; grows while it is read.

    Attributes:
        format: Container and codec, for example ``mov,mp4 / h264``; ``folder`` for a folder.
        interval: Seconds between two frames, on average; NaN where the clip does not tell.
        length: Seconds that the clip says it has; 0 where it does not tell.
        broken: Frames that could not be decoded, or were damaged, and were left out.
        told: Everything else that the reader must know, in plain words.
    """

    format: str = ""
    interval: float = math.nan
    length: float = 0.0
    broken: int = 0
    told: list[str] = field(default_factory=list)


class FrameSource(Protocol):
    """A clip that is open."""

    notes: ReadingNotes

    def __iter__(self) -> Iterator[RawFrame]:
        """Frames from the start that was asked for, times rising; of one that cannot be decoded only a note."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame that is looked at.

    Attributes:
        number: Of the frames from the start of the looking on, from 0; frames that are not looked at count.
        time: Seconds from the beginning of the clip.
        picture: The pixels; its source is ``CLIP#t=SECONDS``.
    """

    number: int
    time: float
    picture: Picture


class ClipFrames:
    """Goes through the frames of a clip once; what was seen stands in the attributes at any moment.

    Args:
        clip: What to read, and which frames of it.
        limits: What one frame may cost; the defaults when None.
        threads: Threads of the decoder; 0 for as many as there are cores.

    Attributes:
        passed: Frames of the stretch that was asked for, those that were not looked at included.
        looked: Frames that were looked at.
        span: Seconds from the first frame to the end of the last one, of all that passed.

    Raises:
        UnreadableError: The clip cannot be opened, or holds no video.
        UsageError: A folder without its frame rate, or a file with one.
    """

    def __init__(self, clip: Clip, *, limits: Limits | None = None, threads: int = 0) -> None:
        self.clip = clip
        self.passed = 0
        self.looked = 0
        self._first = math.nan
        self._last = math.nan
        self._source = _opened(clip, limits or default_limits(), threads)

    @property
    def format(self) -> str:
        """Container and codec, or ``folder``."""
        return self._source.notes.format

    @property
    def broken(self) -> int:
        """Frames that could not be decoded, or were damaged, and were left out."""
        return self._source.notes.broken

    @property
    def reach(self) -> float:
        """The second at which looking ends, as far as the clip tells beforehand; 0 where it does not."""
        length, end = self._source.notes.length, self.clip.end
        return length if end is None else min(length, end) if length else end

    @property
    def span(self) -> float:
        """Seconds from the first frame to the end of the last one; 0 before the first."""
        if not self.passed:
            return 0.0
        between = (self._last - self._first) / (self.passed - 1) if self.passed > 1 else self._source.notes.interval
        return self._last - self._first + (between if math.isfinite(between) else 0.0)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was wrong with the clip, in plain words; complete when all frames were read."""
        told = list(self._source.notes.told)
        if self.broken:
            told.insert(0, f"{self.broken} frame(s) could not be decoded or were damaged and were left out")
        return tuple(told)

    def __iter__(self) -> Iterator[Frame]:
        """The frames that are looked at.

        Raises:
            UnreadableError: ``unreadable.no-frames``: there is none that can be used.
        """
        clip, slot = self.clip, -1
        for raw in self._source:
            if clip.end is not None and raw.time >= clip.end - _EXACT:
                break
            number, self.passed = self.passed, self.passed + 1
            self._first = raw.time if number == 0 else self._first
            self._last = raw.time
            here = -1 if clip.rate is None else math.floor((raw.time - clip.start) * clip.rate + _EXACT)
            if number % clip.every or (clip.rate is not None and here <= slot):
                continue
            pixels = self._pixels(raw)
            if pixels is None:
                continue
            slot = here
            self.looked += 1
            yield Frame(number, raw.time, Picture(pixels, f"{clip.name}#t={raw.time:.3f}"))
        if not self.looked:
            raise self._nothing()

    def _pixels(self, raw: RawFrame) -> NDArray[np.uint8] | None:
        """The pixels; None, and a note, where they cannot be had."""
        try:
            return raw.pixels()
        except UnreadableError as error:
            notes = self._source.notes
            notes.broken += 1
            if notes.broken == 1:
                notes.told.append(f"the first of them: {error.message}")
            return None

    def _nothing(self) -> UnreadableError:
        where = "" if not self.clip.start and self.clip.end is None else f" from {self.clip.start:g} s"
        where += "" if self.clip.end is None else f" to {self.clip.end:g} s"
        why = f" ({'; '.join(self.notes)})" if self.notes else ""
        return unreadable(
            self.clip.name,
            "no-frames",
            f"no frame of it{where} can be decoded{why}; check the file with a player, or ask for another stretch",
        )


def _opened(clip: Clip, limits: Limits, threads: int) -> FrameSource:
    if is_folder(clip.path):
        if clip.fps is None:
            raise UsageError(
                f"{clip.name} is a folder: say how many frames a second it holds, for example fps=25 (--fps 25)"
            )
        from visavis.io.frame_folder import FrameFolder

        return FrameFolder(clip, limits)
    if clip.fps is not None:
        raise UsageError(
            f"the frame rate (fps) is that of a folder of frames; {clip.name} is none, and a video tells its own times"
        )
    from visavis.io.video_file import VideoFile

    return VideoFile(clip, limits, threads)
