"""False match rates within groups of people."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.calibration.impostors import Impostors
from visavis.calibration.points import WorstPoint
from visavis.calibration.prediction import predicted, relative_error
from visavis.errors import UsageError
from visavis.types import RateInterval

SUPPORTED = 10
"""A group's rate is called supported when at least this many of its pairs are false matches."""
LEAST_PAIRS = 1000
"""And when it has at least this many pairs, those of 46 people."""
_PER_DECADE = 10
_BLOCK = 2048


@dataclass(frozen=True, slots=True)
class Group:
    """One group of people.

    Attributes:
        name: For example ``women, Asian, 20-29``.
        people: Persons, which here are pictures: duplicates were removed before.
        pairs: Pairs of two persons of the group.
        events: False matches at each of the table's thresholds.
        errors: Their relative errors, see `visavis.calibration.prediction`; None where there is no false match.
    """

    name: str
    people: int
    pairs: int
    events: tuple[int, ...]
    errors: tuple[float | None, ...]

    def rate(self, row: int) -> float:
        """The false match rate at one of the thresholds."""
        return self.events[row] / self.pairs if self.pairs else 0.0

    def supported(self, row: int) -> bool:
        """Whether the rate rests on enough pairs and false matches to be ranked."""
        return self.pairs >= LEAST_PAIRS and self.events[row] >= SUPPORTED


@dataclass(frozen=True, slots=True)
class GroupTable:
    """The same thresholds in every group of a data set.

    Attributes:
        population: Whom the pictures show and where they come from.
        rates: The false match rates that the thresholds keep for random impostors.
        thresholds: The thresholds.
        groups: People of 13 and older.
        children: People under 13 against people under 13 of the same group.
        removed: Pictures left out as duplicates by face.
        rule: How duplicates were found, and how groups were formed.
    """

    population: str
    rates: tuple[float, ...]
    thresholds: tuple[float, ...]
    groups: tuple[Group, ...]
    children: Group
    removed: int
    rule: str

    def worst(self, row: int) -> Group | None:
        """The group with the highest supported rate at one of the thresholds; None without a supported one."""
        known = [group for group in self.groups if group.supported(row)]
        return max(known, key=lambda group: group.rate(row), default=None)

    def interval(self, group: Group, row: int) -> RateInterval:
        """The rate of a group with the interval for another sample of as many people."""
        population = f"{group.name}; {self.population}"
        error = group.errors[row]
        if error is None:
            # The rule of three: no event among n pairs is compatible with a rate of 3 / n.
            return RateInterval(0.0, 0.0, min(1.0, 3 / max(group.pairs, 3)), 0.95, group.people, population)
        rate = group.rate(row)
        low, high = predicted(rate, error, people=group.people, sample=group.people)
        return RateInterval(rate, low, high, 0.95, group.people, population)

    def nearest(self, threshold: float) -> int:
        """The row whose threshold is the highest that does not exceed this one, or the first."""
        below = [row for row, value in enumerate(self.thresholds) if value <= threshold + 1e-6]
        return max(below, key=lambda row: self.thresholds[row], default=0)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> GroupTable:
        """Read what `to_dict` wrote."""
        fields = dict(record)
        for name in ("rates", "thresholds"):
            fields[name] = tuple(fields[name])
        fields["groups"] = tuple(_group(group) for group in fields["groups"])
        fields["children"] = _group(fields["children"])
        return cls(**fields)


def _group(record: dict[str, Any]) -> Group:
    return Group(**{**record, "events": tuple(record["events"]), "errors": tuple(record["errors"])})


def without_duplicates(vectors: NDArray[np.float32], limits: NDArray[np.floating] | float) -> NDArray[np.bool_]:
    """Which rows stay when of two faces that are alike the later one goes.

    Args:
        vectors: float32 ``(N, D)``, unit norm.
        limits: The similarity from which two faces count as one person: one for all, or one a row, of which the
            higher of a pair holds.
    """
    limit = np.broadcast_to(np.asarray(limits, np.float32), (len(vectors),))
    stays = np.ones(len(vectors), bool)
    for start in range(0, len(vectors), _BLOCK):
        alike = vectors[start : start + _BLOCK] @ vectors.T >= np.maximum(limit[start : start + _BLOCK, None], limit)
        for offset in range(len(alike)):
            row = start + offset
            if (alike[offset, :row] & stays[:row]).any():
                stays[row] = False
    return stays


def measured(
    vectors: NDArray[np.float32], groups: Sequence[Hashable], thresholds: Sequence[float], *, name: str
) -> Group:
    """One `Group` of all pairs of two rows of the same label, each row a person of its own.

    Args:
        vectors: float32 ``(N, D)``, unit norm.
        groups: Label of each row; only rows of one label are compared.
        thresholds: Where false matches are counted.
        name: What the group is called.
    """
    labels = np.unique(np.asarray(groups, dtype=str), return_inverse=True)[1]
    scores, left, right = [np.empty(0, np.float32)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for label in range(labels.max(initial=-1) + 1):
        rows = np.flatnonzero(labels == label)
        one, two = np.triu_indices(len(rows), 1)
        scores.append((vectors[rows] @ vectors[rows].T)[one, two])
        left.append(rows[one])
        right.append(rows[two])
    values, first, second = (np.concatenate(part) for part in (scores, left, right))
    if not len(values):
        return Group(name, len(labels), 0, (0,) * len(thresholds), (None,) * len(thresholds))
    pairs = Impostors.of_pairs(values, first, second)
    events = tuple(pairs.events(threshold) for threshold in thresholds)
    errors = tuple(relative_error(pairs, count) if count else None for count in events)
    return Group(name, len(labels), len(values), events, errors)


def worst_points(vectors: NDArray[np.float32], groups: Sequence[Hashable]) -> tuple[WorstPoint, ...]:
    """The highest threshold that any group needs, on a logarithmic grid of rates.

    Groups with at least 1,000 pairs take part. Down to the rate of ten false matches a group's own pairs give its
    threshold; below, it is carried on by as much as the threshold of all groups' pairs together rises, which goes as
    far as those have ten false matches.

    Args:
        vectors: float32 ``(N, D)``, unit norm, each row a person of its own.
        groups: Group of each row.

    Raises:
        UsageError: No group has 1,000 pairs.
    """
    names, labels = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    tables: dict[str, tuple[Impostors, int]] = {}
    together = []
    for row, name in enumerate(names):
        rows = np.flatnonzero(labels == row)
        one, two = np.triu_indices(len(rows), 1)
        scores = (vectors[rows] @ vectors[rows].T)[one, two]
        together.append(scores)
        if len(one) >= LEAST_PAIRS:
            tables[str(name)] = (Impostors.of_pairs(scores, one, two), len(rows))
    if not tables:
        raise UsageError("no group of people has 1,000 pairs (46 people) for a threshold of its own")
    falling = -np.sort(-np.concatenate(together))
    points: list[WorstPoint] = []
    for step in range(_PER_DECADE * 6):
        rate = 0.1 * 10 ** (-step / _PER_DECADE)
        if rate * len(falling) < SUPPORTED:
            break
        found = [_needed(pairs, rate, name, people, falling) for name, (pairs, people) in tables.items()]
        worst = max(found, key=lambda point: point.threshold)
        if not points or worst.threshold > points[-1].threshold:
            points.append(worst)
    return tuple(points)


def _needed(pairs: Impostors, rate: float, name: str, people: int, together: NDArray[np.float32]) -> WorstPoint:
    own = max(rate, SUPPORTED / pairs.total)
    threshold = _just_above(pairs.scores, own)
    events = pairs.events(threshold)
    error = relative_error(pairs, events)
    if own > rate:
        threshold += _just_above(together, rate) - _just_above(together, own)
    return WorstPoint(rate, threshold, events, name, people, pairs.total, error, own > rate)


def _just_above(falling: NDArray[np.float32], rate: float) -> float:
    return float(np.nextafter(falling[int(rate * len(falling) + 1e-9)], np.float32(2)))
