"""How far a false match rate may lie from its target on other people."""

from __future__ import annotations

import math

import numpy as np

from visavis.calibration.impostors import Impostors

LEVEL = 0.95
_QUANTILE = 1.959963984540054
"""Of the standard normal distribution at 97.5 %."""


def relative_error(impostors: Impostors, events: int) -> float:
    """Standard error of the logarithm of a false match rate, with persons as what is independent.

    The rate is a statistic of degree two: every person is in many pairs, and a person who resembles many others
    raises many of them. Leaving one person out at a time (the jackknife; Arvesen 1969 for statistics of pairs)
    measures that; the part of single pairs, which the jackknife counts twice, is taken off once.

    Args:
        impostors: The pairs.
        events: How many of the highest pairs count as false matches.

    Returns:
        Standard error of ``log(rate)``, at least that of ``events`` independent pairs; infinity without events.
    """
    if events < 1:
        return math.inf
    rate = events / impostors.total
    size = len(impostors.pairs_of)
    both = np.concatenate([impostors.left[:events], impostors.right[:events]])
    false = np.bincount(both, minlength=size)
    here = impostors.pairs_of > 0
    rest = impostors.total - impostors.pairs_of[here]
    people = int(here.sum())
    if people < 3 or (rest < 1).any():
        return 1 / math.sqrt(events)
    without = (events - false[here]) / rest
    jackknife = (people - 1) / people * float(((without - without.mean()) ** 2).sum())
    single = rate * (1 - rate) / impostors.total
    return math.sqrt(max(jackknife - single, single)) / rate


def predicted(rate: float, error: float, *, people: int, sample: int | None) -> tuple[float, float]:
    """Where the realised rate of another sample of people lies, at 95 %.

    Both samples vary: ``log(new / old)`` has the variance ``error**2 * (1 + people / sample)``.

    Args:
        rate: The rate at the threshold in the fitted sample.
        error: Its `relative_error`.
        people: Persons of the fitted sample.
        sample: Persons of the other one; None for so many that it does not vary.
    """
    if not math.isfinite(error):
        return 0.0, 1.0
    factor = math.exp(_QUANTILE * error * math.sqrt(1 + (people / sample if sample else 0)))
    return rate / factor, min(1.0, rate * factor)
