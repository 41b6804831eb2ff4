"""ClipTracks: the faces of a clip, tracked, and what the tracking rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.types.faces import Faces
from visavis.types.track import Track


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """A clip as it was read, and the time it took.

    Attributes:
        name: Its path.
        format: Container and codec, or ``folder``.
        start: Second from which on it was looked at.
        seconds: Of the stretch that was asked for.
        frames: In that stretch.
        looked: Of them, those in which faces were looked for.
        embedded: Faces of which a template was made.
        cuts: Seconds at which the scene changes.
        took: Seconds of work.
        notes: What the reader must know, for example that the file is cut off.
    """

    name: str
    format: str
    start: float
    seconds: float
    frames: int
    looked: int
    embedded: int
    cuts: tuple[float, ...]
    took: float
    notes: tuple[str, ...] = ()

    @property
    def real_time_factor(self) -> float:
        """Seconds of the clip for each second of work; above 1 it keeps up with a camera."""
        return self.seconds / self.took if self.took > 0 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "clip": self.name,
            "format": self.format,
            "start": round(self.start, 3),
            "seconds": round(self.seconds, 3),
            "frames": self.frames,
            "looked": self.looked,
            "embedded": self.embedded,
            "cuts": [round(time, 3) for time in self.cuts],
            "took": round(self.took, 3),
            "real_time_factor": round(self.real_time_factor, 2),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, eq=False)
class ClipTracks:
    """The faces of a clip.

    Attributes:
        tracks: By first appearance, numbered from 1.
        loose: Faces of no track, seen too few times: a row each, ``picture`` is the number of the frame.
        loose_times: float64: the second of each of them.
        facts: The clip, and the time it took.
    """

    tracks: tuple[Track, ...]
    loose: Faces
    loose_times: NDArray[np.float64]
    facts: ClipFacts
