"""Changes: what an index takes in to follow a gallery."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """People whose row is to be set, and people whose row is to go. No key is in both.

    Attributes:
        keys: int64 ``(N,)``: people to set.
        vectors: float32 ``(N, D)``, unit norm: one row a person, pooled of all samples.
        removed: int64 ``(M,)``: people to remove, where they are in the index.
        revision: All changes up to this one have been told when this page is taken in.
    """

    keys: NDArray[np.int64]
    vectors: NDArray[np.float32]
    removed: NDArray[np.int64]
    revision: int
