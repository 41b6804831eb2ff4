"""A clip: a video file, or a folder of its frames, and which of its frames are looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from visavis.errors import UsageError

if TYPE_CHECKING:
    from visavis.io.clip_frames import ClipFrames
    from visavis.io.limits import Limits

_CONTAINERS = ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .ts .mts .m2ts .3gp .3g2 .wmv .flv .ogv"
_BARE = ".mjpeg .h264 .264 .hevc .265"
VIDEO_SUFFIXES = frozenset(f"{_CONTAINERS} {_BARE}".split())
DEFAULT_RATE = 10.0
"""Frames a second that are looked at: a face that crosses the picture in a second moves a tenth of it between two."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A video file or a folder of frames; nothing is opened before `frames`.

    Attributes:
        path: The file, or the folder.
        fps: Frames a second at which the pictures of a folder were taken; None for a file, which tells its own times.
        start: Seconds from the beginning of the clip at which looking begins.
        end: Seconds at which it ends; None for the end of the clip.
        every: Look at each N-th frame only.
        rate: Look at no more than so many frames a second; None for no limit.

    Raises:
        UsageError: A value out of its range.

    Example:
        >>> Clip("door.mp4", start=2.5).name
        'door.mp4'
    """

    path: str | Path
    fps: float | None = None
    start: float = 0.0
    end: float | None = None
    every: int = 1
    rate: float | None = DEFAULT_RATE

    def __post_init__(self) -> None:
        for name in ("fps", "rate"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"the {name} of a clip is a number of frames a second above 0; got {value}")
        if self.every < 1:
            raise UsageError(f"each N-th frame of a clip is looked at, N from 1; got {self.every}")
        if not 0 <= self.start < math.inf:
            raise UsageError(f"a clip starts at 0 seconds or later; got {self.start}")
        if self.end is not None and not self.start < self.end < math.inf:
            raise UsageError(
                f"a clip ends after its start, {self.start:g} s; got {self.end:g} s; leave it out to read to the end"
            )

    @property
    def name(self) -> str:
        """The path as it was given, for messages and reports."""
        return str(self.path)

    def frames(self, *, limits: Limits | None = None, threads: int = 0) -> ClipFrames:
        """The frames that are looked at, one after the other, in bounded memory; can be gone through once.

        Args:
            limits: What one frame may cost; the defaults when omitted.
            threads: Threads of the decoder; 0 for as many as there are cores.

        Raises:
            UnreadableError: The clip cannot be opened, or holds no video.
            UsageError: A folder without ``fps``, or a file with it.
        """
        from visavis.io.clip_frames import ClipFrames

        return ClipFrames(self, limits=limits, threads=threads)


def is_video_name(name: str) -> bool:
    """Whether a name ends as those of video files do: ``.mp4``, ``.mkv`` ..."""
    return Path(name).suffix.lower() in VIDEO_SUFFIXES
