"""Explanation: what in two faces carried their similarity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.types._arrays import column


@dataclass(frozen=True, slots=True)
class RegionEffect:
    """How much a named part of the face spoke for or against a match.

    Attributes:
        name: For example ``nose``.
        left: Similarity lost when the part is removed from the first face; positive spoke for a match.
        right: The same for the second face.
        both: The same when it is removed from both.
        spread: Standard deviation of `alone` over the ways in which the part was removed.
    """

    name: str
    left: float
    right: float
    both: float
    spread: float = 0.0

    @property
    def alone(self) -> float:
        """The mean of ``left`` and ``right``: similarity lost when the part is removed from one face."""
        return (self.left + self.right) / 2

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "name": self.name,
            "left": self.left,
            "right": self.right,
            "both": self.both,
            "spread": self.spread,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Signed maps over both crops of a pair.

    Attributes:
        method: Name of the explainer.
        left: float32 ``(H, W)`` over the first crop; positive spoke for a match.
        right: float32 ``(H, W)`` over the second crop.
        similarity: The similarity that is explained.
        complete: Whether each map's values sum to the similarity minus that with a blank face, as some methods
            promise.
        passes: Crops that were sent through the network for it.
        regions: Effects of named parts, where the method measures them.
        sentence: What carried the decision and what spoke against it, in plain words; may be empty.
    """

    method: str
    left: NDArray[np.float32]
    right: NDArray[np.float32]
    similarity: float
    complete: bool = False
    passes: int = 0
    regions: tuple[RegionEffect, ...] = ()
    sentence: str = ""

    def __post_init__(self) -> None:
        for name in ("left", "right"):
            value = column(getattr(self, name), f"Explanation.{name}", (None, None))
            if not np.isfinite(value).all():
                raise UsageError(f"Explanation.{name} must be finite")
            object.__setattr__(self, name, value)
