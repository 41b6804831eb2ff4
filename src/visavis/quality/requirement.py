"""A requirement on a face, and in plain words why a face does not meet it and what to do."""

from __future__ import annotations

import math
from dataclasses import dataclass

_WHOLE = "show the whole face from the front, sharp and in even light"
_NEARER = "come closer, or use the picture in its full size"
_WORDS = {
    "size": ("the face is small", _NEARER),
    "sharpness": ("the face is blurred or enlarged", "hold the camera still and focus on the face"),
    "exposure": ("parts of the face are nearly black or burnt out", "light the face evenly from the front"),
    "contrast": ("the face is flat", "light the face evenly from the front"),
    "pose": ("the head is turned away", "look into the camera"),
    "detection": ("the face is hardly found", "show the whole face, uncovered"),
    "norm": ("the recogniser finds little to go by", _WHOLE),
    "attention": ("the recogniser finds little to go by", _WHOLE),
    "landmark": ("the face is small or turned away", "come closer and look into the camera"),
    "quality": ("the picture is poor", _WHOLE),
    "inter_eye_distance": ("the eyes are few pixels apart", _NEARER),
}
_ANY = ("the picture is poor", "take the picture again")


@dataclass(frozen=True, slots=True)
class Requirement:
    """The worst value of one measure that passes.

    Attributes:
        measure: Name of the measure or component.
        limit: That value.
        rising: Whether higher values are better.
        unit: Of the value; ``score`` for a score of 0..100.
    """

    measure: str
    limit: float
    rising: bool
    unit: str

    def fails(self, value: float) -> bool:
        """Whether a value is worse than the limit; NaN is: what was not measured was not shown to be enough."""
        return not (value >= self.limit if self.rising else value <= self.limit)

    def why(self, value: float, wrong: str = "") -> str:
        """Why a value fails: what is wrong, the value, the limit, and what to do.

        Args:
            value: One that fails.
            wrong: What the scorer says is wrong with the face; general words when empty.

        Example:
            >>> Requirement("contrast", 10, True, "").why(8.25)
            'the face is flat: contrast 8.25, at least 10 is needed; light the face evenly from the front'
        """
        general, remedy = _WORDS.get(self.measure, _ANY)
        side = "at least" if self.rising else "at most"
        return f"{wrong or general}: {self.measure} {self._told(value)}, {side} {self.limit:g} is needed; {remedy}"

    def _told(self, value: float) -> str:
        """The value with its unit, by as many digits as tell it from the limit."""
        if math.isnan(value):
            return "was not measured"
        digits = next((count for count in range(3, 17) if self.fails(float(f"{value:.{count}g}"))), 17)
        figure = f"{value:.{digits}g}"
        if self.unit == "score":
            return f"scores {figure} of 100"
        return f"{figure} {self.unit}" if self.unit else figure
