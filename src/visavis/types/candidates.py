"""Candidates: what a search of an index returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.types._arrays import column


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The k best rows of an index for each probe, best first.

    Attributes:
        keys: int64 ``(N, K)``: keys in the index; -1 where fewer than K were found.
        similarity: float32 ``(N, K)``: cosines, not increasing along a row; NaN where the key is -1.
    """

    keys: NDArray[np.int64]
    similarity: NDArray[np.float32]

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", column(self.keys, "Candidates.keys", (None, None), np.int64))
        object.__setattr__(self, "similarity", column(self.similarity, "Candidates.similarity", self.keys.shape))
        if (np.diff(self.similarity, axis=1) > 0).any():
            raise UsageError("candidates must be sorted, best first")

    def __len__(self) -> int:
        return len(self.keys)
