"""A folder of frames as a clip."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from visavis.io._unreadable import unreadable
from visavis.io.clip_frames import RawFrame, ReadingNotes
from visavis.io.limits import Limits
from visavis.io.reading import read
from visavis.io.stores import image_files

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from visavis.io.clip import Clip

_DIGITS = re.compile(r"(\d+)")


def natural_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key under which ``frame9`` comes before ``frame10``.

    Example:
        >>> sorted(["f10.jpg", "f9.jpg", "f1.jpg"], key=natural_order)
        ['f1.jpg', 'f9.jpg', 'f10.jpg']
    """
    parts = [part for part in _DIGITS.split(name) if part]
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts)


class FrameFolder:
    """The pictures of a folder in natural order of their names, one frame apart; see `FrameSource`.

    A picture that cannot be read keeps its time, so the others have theirs.

    Args:
        clip: Of a folder, with its ``fps``.
        limits: What one picture may cost.

    Raises:
        UnreadableError: ``unreadable.missing``: there is no picture in it.
    """

    def __init__(self, clip: Clip, limits: Limits) -> None:
        assert clip.fps is not None, "ClipFrames asks for it"
        self._limits = limits
        self._start, self._fps = clip.start, clip.fps
        self._files = sorted(image_files(Path(clip.path), recursive=False), key=lambda path: natural_order(path.name))
        if not self._files:
            raise unreadable(clip.name, "missing", "no picture in it; give the folder that holds the frames themselves")
        self.notes = ReadingNotes(format="folder", interval=1 / clip.fps, length=len(self._files) / clip.fps)

    def __iter__(self) -> Iterator[RawFrame]:
        """Every picture from the start on; it is read when its pixels are asked for."""
        for number, path in enumerate(self._files):
            time = number / self._fps
            if time >= self._start - 1e-6:
                yield RawFrame(time, partial(_pixels, path, self._limits))


def _pixels(path: Path, limits: Limits) -> NDArray[np.uint8]:
    return read(path, limits=limits).pixels
