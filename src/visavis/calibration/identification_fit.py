"""Fit the thresholds of a search on people of whom no two are the same."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.calibration.identification import LEAST_EVENTS, IdentificationTable, SearchPoint
from visavis.errors import UsageError

MOST_PEOPLE = 4000
"""At most so many persons are taken: all pairs of them are held in memory."""

LEAST_PEOPLE = 100
"""Fewer persons than this say nothing about galleries that one would search."""

_RATES = tuple(10 ** (-step / 5) for step in range(2, 21))
_SIZES = tuple(digit * 10**power for power in range(5) for digit in (1, 2, 5))


@dataclass(frozen=True, slots=True, eq=False)
class Strangers:
    """Persons who search a gallery of the others, one template each.

    Attributes:
        people: Number of persons M.
        scores: float32 ``(M * (M - 1),)``, falling: similarities of all ordered pairs of two persons.
        probe: int32: the person who searches.
        entry: int32: the person who is found.
        rank: int32: how many others are closer to the one who searches.
    """

    people: int
    scores: NDArray[np.float32]
    probe: NDArray[np.int32]
    entry: NDArray[np.int32]
    rank: NDArray[np.int32]

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> Strangers:
        """From one template a person.

        Args:
            vectors: float32 ``(M, D)``, unit norm, finite.

        Raises:
            UsageError: Fewer than three persons, or rows that are not finite.
        """
        count = len(vectors)
        if count < 3 or not np.isfinite(vectors).all():
            raise UsageError(f"strangers of a gallery are three or more finite templates; got {count}")
        product = np.asarray(vectors, np.float32) @ np.asarray(vectors, np.float32).T
        # A product need not be the same to the last bit both ways.
        tile: NDArray[np.float32] = np.maximum(product, product.T)
        np.fill_diagonal(tile, -np.inf)
        entry = np.argsort(-tile, axis=1, kind="stable")[:, :-1].astype(np.int32)
        ranked: NDArray[np.float32] = np.take_along_axis(tile, entry, axis=1).ravel()
        order = np.argsort(-ranked, kind="stable")
        probe, rank = np.divmod(order, count - 1)
        return cls(count, ranked[order], probe.astype(np.int32), entry.ravel()[order], rank.astype(np.int32))

    def above(self, threshold: float) -> int:
        """How many ordered pairs lie at or above a threshold."""
        return int(np.searchsorted(-self.scores, -np.float32(threshold), side="right"))

    def fpir(self, threshold: float, *, size: int) -> float:
        """The false positive identification rate of a random gallery of so many of the other persons.

        Exact over all galleries: of a stranger with c of the M - 1 others at or above the threshold, the share of the
        galleries of N that hold none of the c is hypergeometric, ``C(M - 1 - c, N) / C(M - 1, N)``.

        Args:
            threshold: Candidates at or above it are returned.
            size: People of the gallery N, at most M - 1.

        Raises:
            UsageError: A gallery that is larger than the others are many.
        """
        found = np.bincount(self.probe[: self.above(threshold)], minlength=self.people)
        return float(hits(self.people - 1, size)[found].mean())


def hits(pool: int, size: int) -> NDArray[np.float64]:
    """The chance that ``size`` of ``pool`` people, drawn without replacement, include one of c.

    Args:
        pool: People that a gallery is drawn of.
        size: People of the gallery.

    Returns:
        float64 ``(pool + 1,)``: by c from 0 to ``pool``.

    Raises:
        UsageError: More are drawn than there are, or fewer than one.
    """
    if not 1 <= size <= pool:
        raise UsageError(f"a gallery of 1 to {pool} people can be drawn of {pool}; got {size}")
    left = pool - np.arange(pool, dtype=np.float64)
    with np.errstate(divide="ignore"):
        logs = np.log(np.maximum(left - size, 0) / left)
    return np.concatenate([[0.0], 1 - np.exp(np.cumsum(logs))])


def fit_identification(
    vectors: NDArray[np.float32], people: Sequence[Hashable], *, rng: np.random.Generator
) -> IdentificationTable:
    """Thresholds for galleries of 1 up to all people but one, by leaving one out.

    One template of each person is drawn. Every person searches the others. The threshold of a size and a rate is the
    smallest one whose false positive identification rate, exact over all galleries of that size, does not exceed the
    rate. Rates are five a decade from 0.4 down to 1e-4, as far as ten persons meet a false candidate.

    Args:
        vectors: float32 ``(N, D)``, unit norm, finite.
        people: Person of each row.
        rng: Draws the template of a person who has several, and the persons where there are more than 4,000.

    Raises:
        UsageError: Fewer than 100 people.
    """
    rows = _one_each(people, rng)
    if len(rows) < LEAST_PEOPLE:
        raise UsageError(f"the thresholds of a search need {LEAST_PEOPLE} people or more; got {len(rows)}")
    strangers = Strangers.of(np.ascontiguousarray(vectors[rows], np.float32))
    others = strangers.people - 1
    points: list[SearchPoint] = []
    for size in (*(one for one in _SIZES if one < others), others):
        points += _column(strangers, size)
    return IdentificationTable(strangers.people, tuple(points))


def _one_each(people: Sequence[Hashable], rng: np.random.Generator) -> NDArray[np.intp]:
    """A row of each person, drawn; of at most `MOST_PEOPLE`."""
    names = np.asarray(people, dtype=str)
    drawn = rng.permutation(len(names))
    _, first = np.unique(names[drawn], return_index=True)
    rows = drawn[first]
    return np.sort(rows if len(rows) <= MOST_PEOPLE else rng.choice(rows, MOST_PEOPLE, replace=False))


def _column(strangers: Strangers, size: int) -> list[SearchPoint]:
    """The points of one size."""
    chance = hits(strangers.people - 1, size)
    curve = np.cumsum(np.diff(chance)[strangers.rank]) / strangers.people
    points: list[SearchPoint] = []
    for rate in _RATES:
        allowed = int(np.searchsorted(curve, rate * (1 + 1e-9), side="right"))
        if allowed >= len(curve):
            continue
        threshold = float(np.nextafter(strangers.scores[allowed], np.float32(2)))
        above = strangers.above(threshold)
        found = np.bincount(strangers.probe[:above], minlength=strangers.people)
        events = int((found > 0).sum())
        if events < LEAST_EVENTS:
            break
        error = _error(strangers, found, above, size)
        points.append(SearchPoint(size, rate, threshold, events, above // 2, error))
    return points


def _error(strangers: Strangers, found: NDArray[np.intp], above: int, size: int) -> float:
    """Standard error of the logarithm of the rate, with persons as what is independent.

    The rate without each person in turn, as stranger and as entry (the jackknife; Arvesen 1969), in closed form. The
    part of single pairs, which it counts twice, is taken off once, as in `visavis.calibration.prediction`.

    Args:
        strangers: All pairs.
        found: Others at or above the threshold, of each person.
        above: Ordered pairs at or above it.
        size: People of the gallery.
    """
    count = strangers.people
    chance = hits(count - 2, min(size, count - 2))
    chance = np.append(chance, chance[-1])
    each = chance[found]
    drop = each - chance[np.maximum(found - 1, 0)]
    probe, entry = strangers.probe[:above], strangers.entry[:above]
    less = np.bincount(entry, weights=drop[probe], minlength=count)
    without = (each.sum() - each - less) / (count - 1)
    jackknife = (count - 1) / count * float(((without - without.mean()) ** 2).sum())
    single = float(((drop[probe] + drop[entry]) ** 2).sum()) / 2 / count**2
    return math.sqrt(max(jackknife - single, single)) / float(each.mean())
