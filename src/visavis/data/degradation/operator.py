"""Operator: one way in which a picture gets worse, at five levels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class FacePlace:
    """Where the face lies that a degradation is measured by.

    Attributes:
        box: float ``(4,)`` xyxy, pixels of the picture.
        points: float ``(5, 2)``, pixels: left eye, right eye, nose, left and right mouth corner, as seen.
    """

    box: NDArray[np.floating]
    points: NDArray[np.floating]

    @property
    def side(self) -> float:
        """The longer side of the box, pixels."""
        return float(max(self.box[2] - self.box[0], self.box[3] - self.box[1]))


@dataclass(frozen=True, slots=True)
class Operator:
    """A named degradation.

    Attributes:
        name: For example ``gaussian-blur``.
        levels: Its strength at level 1, 2, ..., mildest first.
        unit: Of the strength.
        apply: From picture (uint8 RGB ``(H, W, 3)``, not changed), face, strength and generator to the worse picture.
    """

    name: str
    levels: tuple[float, ...]
    unit: str
    apply: Callable[[Pixels, FacePlace, float, np.random.Generator], Pixels]

    def strength(self, level: int) -> float:
        """The strength of a level.

        Raises:
            UsageError: No such level.
        """
        if not 1 <= level <= len(self.levels):
            raise UsageError(f"the degradation {self.name} has the levels 1..{len(self.levels)}; got {level}")
        return self.levels[level - 1]
