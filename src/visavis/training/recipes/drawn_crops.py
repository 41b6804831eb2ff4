"""Some crops of packs, drawn once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visavis.data.pack import Pack


def drawn_crops(
    packs: Sequence[Pack], *, count: int, seed: int, rows: NDArray[np.int64] | None = None
) -> NDArray[np.uint8]:
    """Crops without repetition, uint8 RGB ``(min(count, rows), S, S, 3)``.

    Args:
        packs: Where they come from, of one size.
        count: How many at most.
        seed: Of the draw.
        rows: The rows to draw from, over all packs one after the other; all when None.
    """
    ends = np.cumsum([len(pack) for pack in packs])
    everything = np.arange(ends[-1]) if rows is None else rows
    drawn = np.random.default_rng(seed).choice(everything, min(count, len(everything)), replace=False)
    numbers = np.searchsorted(ends, drawn, "right")
    places = drawn - np.concatenate([[0], ends])[numbers]
    return np.stack([packs[number].pixels[place] for number, place in zip(numbers, places, strict=True)])
