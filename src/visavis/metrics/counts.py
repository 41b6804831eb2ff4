"""A rate from counted events: closed-form intervals, and whether the count carries a claim."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from visavis.errors import UsageError
from visavis.metrics._beta import beta_quantile
from visavis.metrics.intervals import Interval

MIN_EVENTS = 10
"""Events on the rarer side below which a figure is printed as a count and gates nothing."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Events among trials.

    Attributes:
        events: How often it happened.
        trials: How often it could have happened.
        interval: Clopper-Pearson interval; assumes independent trials.
    """

    events: int
    trials: int
    interval: Interval

    @classmethod
    def of(cls, events: int, trials: int, *, level: float = 0.95) -> Rate:
        """The rate of ``events`` in ``trials`` with its exact interval.

        Raises:
            UsageError: No trials, or events outside 0..trials.
        """
        return cls(int(events), int(trials), clopper_pearson(events, trials, level=level))

    @property
    def value(self) -> float:
        """``events / trials``."""
        return self.events / self.trials

    @property
    def gated(self) -> bool:
        """True where at least ten events lie on the rarer side, so that the figure may gate a decision."""
        return min(self.events, self.trials - self.events) >= MIN_EVENTS


def clopper_pearson(events: int, trials: int, *, level: float = 0.95) -> Interval:
    """Exact binomial interval: covers at least ``level``, for any rate and any number of trials.

    Clopper and Pearson 1934: the beta quantiles ``B(a/2; k, n - k + 1)`` and ``B(1 - a/2; k + 1, n - k)``
    with a = 1 - level. Zero events give ``[0, 1 - (a/2)**(1/n)]``. Trials must be independent: for
    pairs that share people it is too narrow, use `person_bootstrap` there once there are events.

    Args:
        events: k, 0..trials.
        trials: n, at least 1.
        level: Coverage.

    Raises:
        UsageError: No trials, events outside 0..trials, or a level outside 0..1.

    Example:
        >>> round(clopper_pearson(0, 100).high, 4)
        0.0362
    """
    _check(events, trials, level)
    tail = (1 - level) / 2
    low = 0.0 if events == 0 else beta_quantile(tail, events, trials - events + 1)
    high = 1.0 if events == trials else beta_quantile(1 - tail, events + 1, trials - events)
    return Interval(low, high, level, 0, "trial")


def wilson(events: int, trials: int, *, level: float = 0.95) -> Interval:
    """Wilson's score interval: covers ``level`` on average over rates; narrower than Clopper-Pearson.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    Args:
        events: k, 0..trials.
        trials: n, at least 1; independent.
        level: Coverage.

    Raises:
        UsageError: No trials, events outside 0..trials, or a level outside 0..1.
    """
    _check(events, trials, level)
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, scale = events / trials, 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / scale
    half = z * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2) / scale
    low = 0.0 if events == 0 else max(0.0, centre - half)
    high = 1.0 if events == trials else min(1.0, centre + half)
    return Interval(low, high, level, 0, "trial")


def rule_of_three(trials: int) -> float:
    """One-sided 95 % upper bound ``3 / n`` on a rate with no event in n independent trials.

    Hanley and Lippman-Hand 1983; named for error rates in ISO/IEC 19795-1. The bound never exceeds 1.

    Raises:
        UsageError: No trials.
    """
    _check(0, trials, 0.95)
    return min(1.0, 3 / trials)


def _check(events: int, trials: int, level: float) -> None:
    if trials < 1 or not 0 <= events <= trials:
        raise UsageError(f"a rate needs 0 <= events <= trials and trials >= 1; got {events} of {trials}")
    if not 0.0 < level < 1.0:
        raise UsageError(f"level is a coverage between 0 and 1, for example 0.95; got {level}")
