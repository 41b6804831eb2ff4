"""Best: the k best rows that a search has seen so far."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from visavis.gallery.index.similarity import best_first


@dataclass(slots=True, eq=False)
class Best:
    """The k best rows of one probe so far.

    Attributes:
        k: How many are wanted.
        keys: int64, at most k, best first.
        similarity: float32, theirs.
    """

    k: int
    keys: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    similarity: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))

    @property
    def threshold(self) -> float:
        """The similarity below which a row no longer counts."""
        return float(self.similarity[-1]) if len(self.keys) == self.k else -np.inf

    def offer(self, keys: NDArray[np.int64], similarity: NDArray[np.float32]) -> None:
        """Take in rows; one that was offered before changes nothing."""
        all_keys = np.concatenate([self.keys, keys])
        all_values = np.concatenate([self.similarity, similarity])
        order = best_first(all_keys, all_values, len(all_keys))
        ranked = all_keys[order]
        fresh = np.ones(len(ranked), np.bool_)
        fresh[1:] = ranked[1:] != ranked[:-1]  # a key has one similarity, so that the same stand together
        order = order[fresh][: self.k]
        self.keys, self.similarity = all_keys[order], all_values[order]
