"""The figures of an open-set search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.calibration.table import Calibration
from visavis.metrics.identification import (
    cmc,
    cmc_statistic,
    dir_at_fpir_statistic,
    fnir,
    fnir_statistic,
    fpir,
    fpir_statistic,
    threshold_at_fpir,
)
from visavis.metrics.intervals import Interval, Statistic, clopper_pearson, gated
from visavis.metrics.searches import Searches
from visavis.protocols.open_set_searches import GallerySearches
from visavis.protocols.person_intervals import PersonIntervals
from visavis.protocols.protocol_result import LEVEL, ORACLE, Figure
from visavis.types import FPIR

RANKS = (1, 5, 10, 20)
RATES = {"1e-2": 1e-2, "1e-1": 1e-1}


def targets(calibration: Calibration, *, size: int, strangers: int) -> dict[str, Any]:
    """The rates that are asked for, with the interval that is predicted for so many strangers where one is known."""
    return {
        name: calibration.search_rate(FPIR(rate), size=size, sample=strangers).to_dict() for name, rate in RATES.items()
    }


def open_set_figures(
    found: GallerySearches,
    people: NDArray[np.str_],
    kinds: NDArray[np.str_] | None,
    *,
    calibration: Calibration,
    seed: int,
    resamples: int,
) -> Iterator[Figure]:
    """Rank among the enrolled; FPIR and FNIR at the calibration's thresholds; DIR at oracle thresholds.

    Args:
        found: The searches.
        people: Person of each search ``(P,)``.
        kinds: Kind of picture of each search; each kind has its figures too. None for one kind.
        calibration: Where the thresholds come from.
        seed: Seed of resamples.
        resamples: Number of resamples of the people who search; the gallery is kept.
    """
    intervals = PersonIntervals(people, people, seed, resamples)
    everything: ArrayLike = np.ones(len(people))
    parts = {"": everything}
    for kind in () if kinds is None else np.unique(kinds).tolist():
        parts[f".{kind}"] = (kinds == kind).astype(np.float64)
    for suffix, part in parts.items():
        share = np.asarray(part, np.float64)
        for rank in RANKS:
            yield _ranked(found.by_similarity, rank, share, f"rank.{rank}{suffix}", intervals)
        for name, rate in RATES.items():
            threshold = calibration.search_threshold(FPIR(rate), size=found.size)
            yield from _open(found.by_evidence, threshold, share, f"{name}{suffix}", calibration.population, intervals)
        if not suffix:
            yield from (_oracle(found.by_evidence, name, rate, intervals) for name, rate in RATES.items())


def _within(statistic: Statistic, share: NDArray[np.float64]) -> Statistic:
    """A statistic on a part of the searches."""
    return lambda weights: statistic(weights * share)


def _ranked(searches: Searches, rank: int, share: NDArray[np.float64], name: str, intervals: PersonIntervals) -> Figure:
    value = float(cmc(searches, [rank], weights=share)[0])
    hits = round(value * share[searches.mated].sum())
    misses = int(share[searches.mated].sum()) - hits
    most = _most(searches.mated, share, intervals)
    interval = _interval(hits, misses, _within(cmc_statistic(searches, rank), share), intervals, most)
    return Figure(name=name, value=value, interval=interval, counts={"misses": misses, "hits": hits})


def _open(
    searches: Searches,
    threshold: float,
    share: NDArray[np.float64],
    name: str,
    label: str,
    intervals: PersonIntervals,
) -> Iterator[Figure]:
    """Realised FPIR, and FNIR, at one threshold."""
    for kind, measure, statistic, trials, words in (
        ("fpir", fpir, fpir_statistic, ~searches.mated, ("somebody", "nobody")),
        ("fnir", fnir, fnir_statistic, searches.mated, ("misses", "hits")),
    ):
        value = measure(searches, threshold, weights=share)
        total = int(share[trials].sum())
        events = round(value * total) if total else 0
        most = _most(trials, share, intervals)
        interval = _interval(events, total - events, _within(statistic(searches, threshold), share), intervals, most)
        yield Figure(
            name=f"{kind}.{name}",
            value=value,
            interval=interval,
            counts={words[0]: events, words[1]: total - events},
            threshold=threshold,
            label=label,
        )


def _oracle(searches: Searches, name: str, rate: float, intervals: PersonIntervals) -> Figure:
    threshold = threshold_at_fpir(searches, rate)
    missed = fnir(searches, threshold)
    mated = int(searches.mated.sum())
    misses = round(missed * mated)
    return Figure(
        name=f"dir_oracle.{name}",
        value=1 - missed,
        interval=intervals.of(dir_at_fpir_statistic(searches, rate)),
        counts={"misses": misses, "hits": mated - misses},
        threshold=threshold,
        label=ORACLE,
    )


def _most(trials: NDArray[np.bool_], share: NDArray[np.float64], intervals: PersonIntervals) -> int:
    """The most searches of one person among some."""
    people = np.asarray(intervals.people_a)[trials & (share > 0)]
    return int(np.unique(people, return_counts=True)[1].max(initial=1))


def _interval(events: int, others: int, statistic: Statistic, intervals: PersonIntervals, most: int) -> Interval | None:
    """Over resamples of people; by counts of people where one side is too rare for that.

    Searches of one person are not independent, so what is counted is people with a search of the rarer side: the share
    of searches is at most theirs, and at least theirs by the most searches that a person has. With one search a person
    that is the interval of Clopper and Pearson.
    """
    total = events + others
    if not total or gated(events, total):
        return intervals.of(statistic)
    people = np.asarray(intervals.people_a)
    shares = np.array([statistic((people == person).astype(np.float64)) for person in np.unique(people)])
    shares = shares[np.isfinite(shares)]
    rare = shares if events <= others else 1 - shares
    exact = clopper_pearson(int((rare > 1e-12).sum()), len(rare), LEVEL)
    low, high = exact.low / most, exact.high
    ends = (low, high) if events <= others else (1 - high, 1 - low)
    return replace(exact, low=ends[0], high=ends[1], unit="people")
