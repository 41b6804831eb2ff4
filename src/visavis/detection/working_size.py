"""The written rule that sets the detector's working size."""

from __future__ import annotations

from dataclasses import dataclass

from visavis.errors import UsageError


@dataclass(frozen=True, slots=True)
class WorkingSize:
    """At which size a detector looks at a picture of any size.

    1. First look: the picture with a black border of ``border`` times its longer side, so that a face
       that fills the picture lies inside; shrunk, never enlarged, to at most ``first`` pixels.
    2. Far look, only for pictures whose longer side exceeds ``first``: the picture without border, shrunk
       to at most ``far`` pixels, for the small faces that the first look lost.
    3. Second look: every face found is cut out at ``face`` pixels (square root of its box area) in the
       middle of ``canvas`` pixels, enlarged or shrunk, and its landmarks and box are read again there.
       A face that the second look does not see keeps what the first gave.

    The values were chosen on CelebA people of role ``develop``, wild photos and Helen landmarks; see
    docs/results/detector-rule.md.

    Attributes:
        border: Border width as a share of the longer side.
        first: Longest side of the first look in pixels, border included.
        far: Longest side of the far look in pixels.
        face: Size of the face in the second look in pixels; 0 for no second look.
        canvas: Side of the square of the second look in pixels.
    """

    border: float = 0.25
    first: int = 640
    far: int = 1920
    face: int = 192
    canvas: int = 256

    def __post_init__(self) -> None:
        if not 0 <= self.border <= 1:
            raise UsageError(f"border is a share of the longer side, 0..1; got {self.border}")
        if self.first < 32 or self.far < self.first:
            raise UsageError(f"first must be at least 32 and far at least first; got {self.first} and {self.far}")
        if self.face and not 0 < self.face <= self.canvas:
            raise UsageError(f"face must fit in the canvas; got {self.face} and {self.canvas}")

    @property
    def tag(self) -> str:
        """The rule as text, part of a template's space."""
        return f"{self.border:g}-{self.first}-{self.far}-{self.face}-{self.canvas}"
