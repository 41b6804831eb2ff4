"""The declared mapping from a raw value to a score of 0..100."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError


class Grading(Protocol):
    """Any declared monotone mapping from raw value to score."""

    @property
    def rising(self) -> bool:
        """Whether higher raw values are better."""
        ...

    def score(self, raw: ArrayLike) -> NDArray[np.float32]:
        """float32 of the same shape, 0..100; NaN stays NaN."""
        ...


@dataclass(frozen=True, slots=True)
class Scale:
    """A monotone ramp: score 0 at ``bad`` and beyond, 100 at ``good`` and beyond, straight in between.

    Attributes:
        bad: The raw value of score 0.
        good: The raw value of score 100; below ``bad`` for a measure whose lower values are better.
        logarithmic: Whether the ramp is straight in the logarithm of the raw value.
        source: Where the two constants come from.
    """

    bad: float
    good: float
    source: str
    logarithmic: bool = False

    def __post_init__(self) -> None:
        finite = np.isfinite([self.bad, self.good]).all() and self.bad != self.good
        if not finite or (self.logarithmic and min(self.bad, self.good) <= 0):
            raise UsageError(
                "a Scale has two different finite ends, above 0 for a logarithmic one; got "
                f"bad={self.bad}, good={self.good}"
            )

    @property
    def rising(self) -> bool:
        """Whether higher raw values are better."""
        return self.good > self.bad

    def score(self, raw: ArrayLike) -> NDArray[np.float32]:
        """float32 of the same shape, 0..100; NaN stays NaN.

        Example:
            >>> Scale(16, 64, "an example", logarithmic=True).score([8, 32, 100]).tolist()
            [0.0, 50.0, 100.0]
        """
        values = np.asarray(raw, np.float64)
        low, high = self.bad, self.good
        if self.logarithmic:
            values = np.log(np.maximum(values, np.finfo(np.float64).tiny))
            low, high = float(np.log(low)), float(np.log(high))
        score: NDArray[np.float32] = (100 * np.clip((values - low) / (high - low), 0, 1)).astype(np.float32)
        return score
