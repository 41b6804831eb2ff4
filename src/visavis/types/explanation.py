"""Explanation: what in two faces carried their similarity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.types._arrays import column


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Signed maps over both crops of a pair.

    Attributes:
        method: Name of the explainer.
        left: float32 ``(H, W)`` over the first crop; positive spoke for a match.
        right: float32 ``(H, W)`` over the second crop.
        similarity: The similarity that is explained.
        complete: Whether each map's values sum to the similarity, as some methods promise.
    """

    method: str
    left: NDArray[np.float32]
    right: NDArray[np.float32]
    similarity: float
    complete: bool = False

    def __post_init__(self) -> None:
        for name in ("left", "right"):
            value = column(getattr(self, name), f"Explanation.{name}", (None, None))
            if not np.isfinite(value).all():
                raise UsageError(f"Explanation.{name} must be finite")
            object.__setattr__(self, name, value)
