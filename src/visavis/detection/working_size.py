"""The written rule that sets the detector's working size."""

from __future__ import annotations

from dataclasses import dataclass

from visavis.errors import UsageError


@dataclass(frozen=True, slots=True)
class WorkingSize:
    """At which sizes a detector looks at a picture of any size.

    1. The picture is looked at whole with its longer side shrunk to each of ``looks``, never enlarged, as
       far as it is larger than the look before: a picture of 192 pixels or less once as it is, one of 500
       at 192 and as it is, one of 4000 at 192, 640 and 1920. The first finds faces that fill the picture
       (YuNet loses faces of more than some 300 pixels), the last small faces in large pictures. In every look
       but the first, finds of more than ``largest`` pixels are left out: a smaller look shows such faces better,
       and what a large one takes for them are folds and shadows.
    2. Every face found is cut out at ``face`` pixels (square root of its box area) in the middle of
       ``canvas`` pixels, enlarged or shrunk, and its box and landmarks are read again there. A face that
       this look does not see keeps what it had.
    3. A picture in which step 1 found nobody is looked at whole once more, enlarged to each size of
       ``again`` that it is smaller than, until a face is found: YuNet misses faces in extreme pose or of few
       pixels that it finds when they are larger.

    The values were chosen on CelebA people of role ``develop``, wild photos and Helen landmarks; see
    docs/results/detector-rule.md.

    Attributes:
        looks: Longest sides in pixels, rising.
        face: Size of the face in the second step in pixels; 0 leaves the step out.
        canvas: Side of the square of the second step in pixels.
        largest: Longest side of a find in the looks after the first, in pixels of the look.
        again: Longest sides for pictures in which nobody was found, rising; empty leaves the step out.
    """

    looks: tuple[int, ...] = (192, 640, 1920)
    face: int = 192
    canvas: int = 288
    again: tuple[int, ...] = (320, 640)
    largest: int = 256

    def __post_init__(self) -> None:
        if not self.looks or list(self.looks) != sorted(set(self.looks)) or self.looks[0] < 32:
            raise UsageError(f"looks are rising sizes of 32 pixels or more; got {self.looks}")
        if self.face and not 0 < self.face <= self.canvas:
            raise UsageError(f"face must fit in the canvas; got {self.face} and {self.canvas}")
        if list(self.again) != sorted(set(self.again)) or min(self.again, default=32) < 32:
            raise UsageError(f"the sizes of a further look are rising, 32 pixels or more; got {self.again}")
        if self.largest < 1:
            raise UsageError(f"the longest side of a find is 1 pixel or more; got {self.largest}")

    def sizes(self, longest: int) -> list[int]:
        """The longest sides at which a picture of this longest side is looked at."""
        sizes = [min(longest, self.looks[0])]
        for look in self.looks[1:]:
            if longest > sizes[-1]:
                sizes.append(min(longest, look))
        return sizes

    @property
    def tag(self) -> str:
        """The rule as text, part of a template's space."""
        again = "+".join(str(size) for size in self.again) or "0"
        return f"{'+'.join(str(look) for look in self.looks)}-{self.face}-{self.canvas}-{again}-{self.largest}"
