"""Measured operating points, and what lies between them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Point:
    """One operating point that was measured.

    Attributes:
        fmr: The false match rate that the threshold keeps to; the realised one is ``events`` over all pairs.
        threshold: Least similarity that is accepted.
        events: Impostor pairs at or above the threshold.
        fnmr: False non-match rate of the genuine pairs at the threshold; None when there were none.
        error: Standard error of the logarithm of the false match rate, with persons as what is independent; None
            when the persons were not known.
        person_pairs: Distinct pairs of persons among the events; None when the persons were not known.
    """

    fmr: float
    threshold: float
    events: int
    fnmr: float | None = None
    error: float | None = None
    person_pairs: int | None = None


@dataclass(frozen=True, slots=True)
class WorstPoint:
    """The highest threshold that any measured group of people needs for a false match rate.

    Attributes:
        fmr: The rate, within the group.
        threshold: The group's threshold.
        events: The group's pairs at or above it.
        group: Which group it is.
        people: Persons of the group.
        pairs: Pairs of the group.
        error: As in `Point`.
        extended: Whether the group's own pairs are too few for the rate: its threshold for ten false matches was then
            carried on by as much as that of all groups' pairs together rises from there to the rate.
    """

    fmr: float
    threshold: float
    events: int
    group: str
    people: int
    pairs: int
    error: float
    extended: bool = False


def threshold_at(points: tuple[Point, ...] | tuple[WorstPoint, ...], rate: float) -> float:
    """The threshold of a rate: linear over the logarithm of the rate between points.

    Beyond the ends the slope of the last decade goes on. That is for the ends of an interval only: an operating
    point is never taken there.

    Args:
        points: Falling rate, rising threshold.
        rate: Greater than 0.
    """
    logs = np.array([math.log(point.fmr) for point in points[::-1]])
    values = np.array([point.threshold for point in points[::-1]])
    at = math.log(rate)
    if logs[0] <= at <= logs[-1]:
        return float(np.interp(at, logs, values))
    edge = 0 if at < logs[0] else len(logs) - 1
    other = int(np.argmin(np.abs(logs - (logs[0] + math.log(10))))) if edge == 0 else 0
    if edge:
        other = int(np.argmin(np.abs(logs - (logs[-1] - math.log(10)))))
    if other == edge:
        other = 1 if edge == 0 else len(logs) - 2
    slope = (values[other] - values[edge]) / (logs[other] - logs[edge])
    return float(values[edge] + slope * (at - logs[edge]))


def error_at(points: tuple[Point, ...] | tuple[WorstPoint, ...], rate: float) -> float | None:
    """The relative error at a rate, between points; None when it was not measured."""
    if any(point.error is None for point in points):
        return None
    logs = [math.log(point.fmr) for point in points[::-1]]
    errors = [float(point.error or 0.0) for point in points[::-1]]
    return float(np.interp(math.log(rate), logs, errors))
