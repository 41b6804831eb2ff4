"""Whether two sides of an experiment show the same pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visavis.data.pack import Pack


def shared_crops(packs: Sequence[Pack], other: Pack) -> int:
    """The number of rows of a pack whose crop stands in others, pixel for pixel, under whatever name.

    Crops are compared by `Pack.digests`, 8 bytes each: of ten million rows against ten million, one is found wrongly
    with a chance of 5 in a million. The same photo saved or detected in another way is another crop and is not found.

    Args:
        packs: The crops to look among.
        other: The crops to look for.
    """
    if not packs:
        return 0
    return int(np.isin(other.digests, np.concatenate([pack.digests for pack in packs])).sum())
