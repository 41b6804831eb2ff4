"""How sure a figure is: intervals that resample people, and exact ones for counts.

Pairs that share a person are not independent, so resampling pairs gives intervals that are too
narrow. Here people are drawn with replacement and every pair follows its people.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError
from visavis.metrics import _arrays, _beta

Statistic = Callable[[NDArray[np.float64]], float]


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided confidence interval.

    Attributes:
        low: Lower end; NaN when no resample gave a number.
        high: Upper end.
        level: Confidence level.
        resamples: Resamples drawn; 0 for an interval that needs none.
        unit: What was taken as independent: ``person`` or ``trial``.
        skipped: Those resamples on which the statistic was undefined (NaN). The ends come from the others;
            many skipped resamples mean that the data are too few for this statistic.
    """

    low: float
    high: float
    level: float
    resamples: int
    unit: str = "person"
    skipped: int = 0


def person_bootstrap(
    people_a: ArrayLike,
    people_b: ArrayLike,
    statistic: Statistic,
    *,
    resamples: int = 1000,
    rng: np.random.Generator,
    level: float = 0.95,
) -> Interval:
    """Percentile interval of a statistic of pairs, resampling people.

    Each resample draws as many people as there are, with replacement; person i is drawn ``w_i`` times
    (multinomial). A pair of two people counts ``w_i * w_j`` times, a mated pair of one person ``w_i``
    times. This is the pigeonhole bootstrap (Owen 2007) with both sides of a pair in one population; for
    mated pairs it is the subset bootstrap of Bolle, Ratha and Pankanti 2004. On statistics of non-mated
    pairs it errs towards wide intervals.

    Args:
        people_a: Identity of the first face of each pair ``(N,)``, integers or text.
        people_b: Identity of the second face ``(N,)``; equal to people_a for mated pairs.
        statistic: Maps pair weights, float64 ``(N,)``, to a number; NaN where it is undefined. The
            functions of `visavis.metrics.weighted` make fast ones that sort only once.
        resamples: Number of resamples.
        rng: Source of randomness; the same state gives the same interval.
        level: Confidence level.

    Raises:
        UsageError: Ill-shaped arrays, no resamples, or a level outside 0..1.

    Example:
        >>> people = [0, 1, 2, 3]
        >>> right = np.array([1.0, 1.0, 1.0, 0.0])
        >>> share = lambda weights: float((weights * right).sum() / weights.sum())
        >>> interval = person_bootstrap(people, people, share, rng=np.random.default_rng(0))
        >>> interval.low, interval.high
        (0.25, 1.0)
    """
    values = [statistic(weights) for weights in person_weights(people_a, people_b, resamples, rng)]
    return percentile_interval(values, _arrays.level(level))


def paired_difference(
    people_a: ArrayLike,
    people_b: ArrayLike,
    first: Statistic,
    second: Statistic,
    *,
    resamples: int = 1000,
    rng: np.random.Generator,
    level: float = 0.95,
) -> Interval:
    """Percentile interval of ``first - second``, both on the very same resamples of people.

    For two methods on the same pairs; what a hard person does to both cancels. An interval that excludes
    zero is a difference.

    Args:
        people_a: Identity of the first face of each pair ``(N,)``.
        people_b: Identity of the second face ``(N,)``.
        first: Statistic of one method, see `person_bootstrap`.
        second: Statistic of the other method.
        resamples: Number of resamples.
        rng: Source of randomness.
        level: Confidence level.

    Raises:
        UsageError: Ill-shaped arrays, no resamples, or a level outside 0..1.
    """
    values = [first(weights) - second(weights) for weights in person_weights(people_a, people_b, resamples, rng)]
    return percentile_interval(values, _arrays.level(level))


def clopper_pearson(events: int, trials: int, level: float = 0.95) -> Interval:
    """Exact interval of a proportion from independent trials.

    Clopper and Pearson 1934: the ends are quantiles of Beta(events, trials - events + 1) and
    Beta(events + 1, trials - events). It covers at least ``level``, usually more. Pairs that share
    people are not independent trials: use `person_bootstrap` for them.

    Args:
        events: Number of events, 0..trials.
        trials: Number of trials, at least 1.
        level: Confidence level.

    Raises:
        UsageError: Not counts, more events than trials, or a level outside 0..1.

    Example:
        >>> interval = clopper_pearson(0, 100)
        >>> interval.low, round(interval.high, 4)
        (0.0, 0.0362)
    """
    some, total = _arrays.counts(events, trials)
    confidence = _arrays.level(level)
    tail = (1.0 - confidence) / 2
    low = 0.0 if some == 0 else _beta.beta_quantile(tail, some, total - some + 1)
    high = 1.0 if some == total else _beta.beta_quantile(1.0 - tail, some + 1, total - some)
    return Interval(low, high, confidence, 0, "trial")


def gated(events: int, trials: int, least: int = 10) -> bool:
    """Whether a rate rests on enough events: at least ``least`` on its rarer side.

    A figure for which this is False is printed with its count and never gates a release.

    Args:
        events: Number of events, for example false matches.
        trials: Number of trials.
        least: The fewest events, and the fewest non-events, that are enough.

    Raises:
        UsageError: Not counts, or more events than trials.

    Example:
        >>> gated(3, 3000), gated(2995, 3000), gated(30, 3000)
        (False, False, True)
    """
    some, total = _arrays.counts(events, trials)
    return min(some, total - some) >= least


def person_weights(
    people_a: ArrayLike, people_b: ArrayLike, resamples: int, rng: np.random.Generator
) -> Iterator[NDArray[np.float64]]:
    """Pair weights float64 ``(N,)`` of each resample of people: those that `person_bootstrap` draws.

    For several statistics on the very same resamples, and their differences.

    Args:
        people_a: Identity of the first face of each pair ``(N,)``.
        people_b: Identity of the second face ``(N,)``.
        resamples: Number of resamples.
        rng: Source of randomness; the same state gives the same weights.

    Raises:
        UsageError: Ill-shaped arrays, or no resamples.
    """
    first, second, number = _arrays.people(people_a, people_b)
    if resamples < 1:
        raise UsageError(f"resamples must be at least 1; got {resamples}")
    one_person = first == second
    for _ in range(resamples):
        times = np.bincount(rng.integers(number, size=number), minlength=number).astype(np.float64)
        left = times[first]
        yield np.where(one_person, left, left * times[second])


def percentile_interval(values: list[float], level: float) -> Interval:
    """The middle ``level`` of the values of a statistic on resamples; NaN values are skipped and counted."""
    defined = [value for value in values if not math.isnan(value)]
    skipped = len(values) - len(defined)
    if not defined:
        return Interval(math.nan, math.nan, level, len(values), skipped=skipped)
    low, high = np.quantile(defined, [(1.0 - level) / 2, (1.0 + level) / 2])
    return Interval(float(low), float(high), level, len(values), skipped=skipped)
