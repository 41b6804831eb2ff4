"""Failure to acquire: how often a sample gave no template."""

from __future__ import annotations

from dataclasses import dataclass

from visavis.metrics import _arrays
from visavis.metrics.intervals import Interval, clopper_pearson


@dataclass(frozen=True, slots=True)
class FailureRate:
    """A share of attempts that failed, with its Clopper-Pearson interval.

    Attributes:
        rate: ``failed / attempts``.
        interval: Exact interval, taking attempts as independent.
        failed: Number of failures.
        attempts: Number of attempts.
    """

    rate: float
    interval: Interval
    failed: int
    attempts: int


def fta(failed: int, attempts: int, *, level: float = 0.95) -> FailureRate:
    """Failure-to-acquire rate of ISO/IEC 19795-1.

    Args:
        failed: Samples without a template: unreadable, no face, or refused by quality.
        attempts: All samples tried.
        level: Confidence level of the interval.

    Raises:
        UsageError: Not counts, more failures than attempts, no attempt, or a level outside 0..1.

    Example:
        >>> result = fta(2, 400)
        >>> result.rate, round(result.interval.low, 5), round(result.interval.high, 5)
        (0.005, 0.00061, 0.01794)
    """
    some, total = _arrays.counts(failed, attempts)
    return FailureRate(some / total, clopper_pearson(some, total, level), some, total)
