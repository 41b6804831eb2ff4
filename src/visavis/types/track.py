"""Track: one face through a clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.types.faces import Faces
from visavis.types.templates import Templates

Span = tuple[float, float]
"""First and last second of a stretch in which a face is seen."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackFrame:
    """One of the best frames of a track.

    Attributes:
        number: Of the frame.
        time: Seconds from the beginning of the clip.
        box: x0, y0, x1, y1 in pixels of the frame.
        score: Of the detector, 0..1.
        quality: Fused quality 0..100.
        unfit: Each quality limit of the model that the face fails.
        crop: The aligned face, uint8 RGB ``(H, W, 3)``.
    """

    number: int
    time: float
    box: tuple[float, float, float, float]
    score: float
    quality: float
    unfit: tuple[str, ...]
    crop: NDArray[np.uint8]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary, without the pixels."""
        return {
            "frame": self.number,
            "time": round(self.time, 3),
            "box": [round(value, 2) for value in self.box],
            "score": round(self.score, 4),
            "quality": round(self.quality, 2),
            "unfit": list(self.unfit),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One face through a clip, as it was seen in the frames that were looked at.

    Attributes:
        number: From 1, by first appearance.
        times: float64 ``(N,)``: seconds of each look, rising.
        faces: A row a look; ``faces.picture`` is the number of the frame.
        spans: The stretches in which it is seen, in order.
        best: The frames that stand for it, best first.
        templates: A row for each of ``best``; None where faces were only detected.
        pooled: The one template of the track; None as ``templates``.
    """

    number: int
    times: NDArray[np.float64]
    faces: Faces
    spans: tuple[Span, ...]
    best: tuple[TrackFrame, ...]
    templates: Templates | None = None
    pooled: Templates | None = None

    def __post_init__(self) -> None:
        if len(self.times) != len(self.faces) or not len(self.times) or not self.spans or not self.best:
            raise UsageError("a track has a time for each of its faces, one or more, a span and a best frame")
        if self.templates is not None and len(self.templates) != len(self.best):
            raise UsageError(f"a track has a template a best frame: {len(self.best)}; got {len(self.templates)}")

    @property
    def seconds(self) -> float:
        """How long it is seen."""
        return sum(end - start for start, end in self.spans)

    def overlaps(self, other: Track) -> bool:
        """Whether both are seen at one time."""
        return any(a <= d and c <= b for a, b in self.spans for c, d in other.spans)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary, without pixels and templates."""
        return {
            "track": self.number,
            "spans": [[round(start, 3), round(end, 3)] for start, end in self.spans],
            "looks": len(self.times),
            "best": self.best[0].to_dict(),
            "frames": len(self.best),
        }
