"""Random numbers that are a pure function of where they are used."""

from __future__ import annotations

import numpy as np

_WORD = 1 << 64


def generator(seed: int, *place: int) -> np.random.Generator:
    """A generator for one place of one run: the same numbers for the same place, whatever was drawn before.

    Philox-4x64 (Salmon et al. 2011) is keyed by the seed and the first number of the place; the others set the upper
    words of its counter, so that streams of two places never overlap.

    Args:
        seed: Of the run.
        place: One to four numbers of 0 or more, for example purpose, epoch or step, row.
    """
    words = [value % _WORD for value in place]
    first, rest = words[0], [*words[1:], 0, 0, 0][:3]
    return np.random.Generator(np.random.Philox(key=[seed % _WORD, first], counter=[0, *rest]))
