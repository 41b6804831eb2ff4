"""Degrading pictures of a list: what each gets depends on its name and the seed alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from visavis.data.degradation.operator import FacePlace, Operator, Pixels
from visavis.data.degradation.operators import operators_of
from visavis.data.philox import generator
from visavis.errors import UsageError

_PURPOSE = 41


@dataclass(frozen=True, slots=True)
class Degrading:
    """Which pictures of a list get worse, and how.

    Attributes:
        operators: Name of a set or of an operator, see `operators_of`.
        share: Of the pictures that get worse, above 0 and at most 1; the others stay as they are.
        seed: Of what is drawn.

    Raises:
        UsageError: No such operators, or a share out of its range.

    Example:
        >>> how = Degrading("motion-blur", share=1.0)
        >>> operator, level = how.drawn("a.jpg")
        >>> operator.name, level == how.drawn("a.jpg")[1]
        ('motion-blur', True)
    """

    operators: str
    share: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        operators_of(self.operators)
        if not 0 < self.share <= 1:
            raise UsageError(f"the share of degraded pictures lies above 0 and at most at 1; got {self.share}")

    def drawn(self, name: str) -> tuple[Operator, int] | None:
        """Operator and level of the picture of that name, each as likely as the others; None where it stays."""
        return self._draw(self._generator(name))

    def apply(self, pixels: Pixels, name: str, face: FacePlace) -> Pixels:
        """The picture as this degrading makes it.

        Args:
            pixels: uint8 RGB ``(H, W, 3)``; not changed.
            name: Of the picture in its list.
            face: The face by which lengths are measured.
        """
        rng = self._generator(name)
        found = self._draw(rng)
        if found is None:
            return pixels
        operator, level = found
        return np.ascontiguousarray(operator.apply(pixels, face, operator.strength(level), rng))

    def _generator(self, name: str) -> np.random.Generator:
        place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
        return generator(self.seed, _PURPOSE, place)

    def _draw(self, rng: np.random.Generator) -> tuple[Operator, int] | None:
        if rng.random() >= self.share:
            return None
        known = operators_of(self.operators)
        operator = known[int(rng.integers(len(known)))]
        return operator, 1 + int(rng.integers(len(operator.levels)))
