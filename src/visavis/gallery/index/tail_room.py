"""Room for a tail that grows: earlier states keep seeing their rows, later ones see more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visavis.gallery.index.state import Tail

_FIRST = 1024


class TailRoom:
    """Memory behind the tails of one index; used by one writer at a time.

    Args:
        dimension: Length of a row.
    """

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._keys = np.empty(0, np.int64)
        self._vectors = np.empty((0, dimension), np.float32)

    def append(self, tail: Tail, keys: NDArray[np.int64], vectors: NDArray[np.float32]) -> Tail:
        """The tail with more rows.

        Rows are written beyond what any earlier tail sees. A tail that does not begin this room, or does not fit, is
        copied to a new one.

        Args:
            tail: The latest one.
            keys: int64 ``(N,)``.
            vectors: float32 ``(N, D)``.
        """
        count, total = len(tail), len(tail) + len(keys)
        begins_here = count and tail.keys.base is self._keys and tail.keys.ctypes.data == self._keys.ctypes.data
        if not begins_here or total > len(self._keys):
            room = max(_FIRST, 2 * total)
            self._keys = np.empty(room, np.int64)
            self._vectors = np.empty((room, self._dimension), np.float32)
            self._keys[:count], self._vectors[:count] = tail.keys, tail.vectors
        self._keys[count:total], self._vectors[count:total] = keys, vectors
        alive = np.concatenate([tail.alive, np.ones(len(keys), np.bool_)])
        return Tail(self._keys[:total], self._vectors[:total], alive)
