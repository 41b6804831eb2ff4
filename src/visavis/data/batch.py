"""What a loader of packs gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Crops of one training step; the arrays belong to the receiver.

    Attributes:
        pixels: uint8 RGB ``(B, S, S, 3)``, augmented where the loader augments.
        labels: int64 ``(B,)``, class 0..C-1 of the loader; -1 where a crop has no label.
        rows: int64 ``(B,)``, row of each crop over all packs of the loader, one after the other.
        landmarks: float32 ``(B, 5, 2)`` in pixels of the crop, moved with the augmentation.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    rows: NDArray[np.int64]
    landmarks: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.labels)
