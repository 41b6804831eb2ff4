"""The figures of probes among distractors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from visavis.metrics.intervals import Statistic
from visavis.protocols.distractor_scores import DistractorScores
from visavis.protocols.person_intervals import PersonIntervals
from visavis.protocols.protocol_result import ORACLE, Figure
from visavis.protocols.template_pairs import pair_similarities

FARS = {"1e-6": 1e-6, "1e-5": 1e-5, "1e-4": 1e-4}
"""The false accept rates of the tables in the literature."""


@dataclass(frozen=True, slots=True, eq=False)
class Mates:
    """All unordered pairs of two pictures of one person.

    Attributes:
        one: Row of the first picture ``(M,)``.
        two: Row of the second.
        similarity: float32 ``(M,)``; NaN where a side failed.
        people: Code of the person of each pair ``(M,)``.
        probe_people: Code of the person of each picture ``(P,)``.
    """

    one: NDArray[np.intp]
    two: NDArray[np.intp]
    similarity: NDArray[np.float32]
    people: NDArray[np.intp]
    probe_people: NDArray[np.intp]

    @classmethod
    def of(cls, vectors: NDArray[np.float32], people: Sequence[str]) -> Mates:
        """The pairs of pictures with their vectors ``(P, D)`` and people; everybody has at least two pictures."""
        _, codes = np.unique(np.array(people), return_inverse=True)
        ones, twos = [], []
        for rows in np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1]):
            one, two = np.triu_indices(len(rows), 1)
            ones.append(rows[one])
            twos.append(rows[two])
        one, two = np.concatenate(ones), np.concatenate(twos)
        return cls(one, two, pair_similarities(vectors, one, two), codes[one], codes)

    def by_person(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many of the chosen pairs each person has, ``(K,)``."""
        return np.bincount(self.people[chosen], minlength=int(self.probe_people.max()) + 1)


def rank_figures(
    found: DistractorScores, mates: Mates, sizes: Sequence[int], *, seed: int, resamples: int
) -> list[Figure]:
    """Rank-1 at each number of distractors: each mated pair is searched both ways; a tie is a miss.

    Args:
        found: The comparisons of the probes with all distractors.
        mates: The mated pairs of the probes.
        sizes: The numbers of distractors.
        seed: Seed of resamples.
        resamples: Number of resamples of people.
    """
    intervals = _intervals(mates, seed, resamples)
    searches = 2 * mates.by_person(np.ones(len(mates.one), np.bool_))
    figures = []
    for level, size in enumerate(sizes):
        best = found.maxima[:, level]
        hits = mates.by_person(mates.similarity > best[mates.one]) + mates.by_person(mates.similarity > best[mates.two])
        figures.append(
            Figure(
                name=f"rank.1.of.{size}",
                value=float(hits.sum() / searches.sum()),
                interval=intervals.of(_share(hits, searches)),
                counts={"misses": int((searches - hits).sum()), "hits": int(hits.sum())},
            )
        )
    return figures


def tar_figures(
    found: DistractorScores, mates: Mates, *, seed: int, resamples: int
) -> tuple[list[Figure], tuple[str, ...]]:
    """TAR at each of `FARS`, over all pairs of a probe and a distractor; a failed side is a rejection.

    Args:
        found: The comparisons of the probes with all distractors.
        mates: The mated pairs of the probes.
        seed: Seed of resamples.
        resamples: Number of resamples of people, each with its own threshold; the distractors are kept.

    Returns:
        The figures, and notes: where a resample needs more similarities than were kept, a figure has no interval.
    """
    scores, rows = found.highest()
    intervals = _intervals(mates, seed, resamples)
    tail = _Tail(mates, scores, mates.probe_people[rows], found)
    figures, notes = [], []
    for name, far in FARS.items():
        threshold = found.threshold_at_far(far)
        hits = int((mates.similarity >= threshold).sum())
        interval = intervals.of(partial(tail.tar, far=far))
        if interval is not None and interval.skipped:
            notes.append(
                f"tar_at_far.{name} has no interval: {interval.skipped} of {resamples} resamples need more than the "
                f"{len(scores)} highest similarities, which were kept."
            )
            interval = None
        figures.append(
            Figure(
                name=f"tar_at_far.{name}",
                value=hits / len(mates.one),
                interval=interval,
                counts={
                    "false matches": int((scores >= threshold).sum()) if math.isfinite(threshold) else found.compared,
                    "false non-matches": len(mates.one) - hits,
                },
                threshold=threshold,
                label=ORACLE,
            )
        )
    return figures, tuple(notes)


class _Tail:
    """TAR at FAR of resamples of people, from the highest similarities of all pairs of a probe and a distractor.

    Args:
        mates: The mated pairs.
        scores: The similarities that were kept, the highest first.
        who: Person of the probe of each.
        found: What they come from.
    """

    def __init__(
        self, mates: Mates, scores: NDArray[np.float32], who: NDArray[np.intp], found: DistractorScores
    ) -> None:
        self._who = who
        self._whole = len(scores) == found.compared
        self._probes = np.bincount(mates.probe_people)
        self._mates = mates.by_person(np.ones(len(mates.one), np.bool_))
        self._distractors = found.taken
        # A mate beats the score in place k when at most k scores are as high as it: (person, that number), in order.
        good = ~np.isnan(mates.similarity)
        behind = np.searchsorted(-scores, -mates.similarity[good], side="right")
        self._stride = len(scores) + 1
        self._keys = np.sort(mates.people[good].astype(np.int64) * self._stride + behind)
        self._firsts = np.arange(len(self._probes), dtype=np.int64) * self._stride

    def tar(self, times: NDArray[np.float64], far: float) -> float:
        """TAR where each person counts so many times ``(K,)``; NaN where more scores are needed than were kept."""
        allowed = far * float(times @ self._probes) * self._distractors * (1 + 1e-12)
        likely = int(4 * far * self._probes.sum() * self._distractors) + 1024
        for length in (likely, len(self._who)):  # the tail that is needed is mostly a small part
            mass = np.cumsum(times[self._who[:length]])
            place = int(np.searchsorted(mass, allowed, side="right"))
            if place < len(mass):
                break
        if place >= len(self._who) and not self._whole:
            return math.nan
        above = np.searchsorted(self._keys, self._firsts + place, side="right") - np.searchsorted(
            self._keys, self._firsts, side="left"
        )
        return float(times @ above / (times @ self._mates))


def _share(hits: NDArray[np.int64], trials: NDArray[np.int64]) -> Statistic:
    """The share of hits where each person counts so many times."""
    return lambda times: float(times @ hits / (times @ trials))


def _intervals(mates: Mates, seed: int, resamples: int) -> PersonIntervals:
    """Of functions of how many times each person counts ``(K,)``."""
    people = np.arange(int(mates.probe_people.max()) + 1)
    return PersonIntervals(people, people, seed, resamples)
