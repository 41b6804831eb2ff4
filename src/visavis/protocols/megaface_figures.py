"""The figures of probes among distractors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.metrics.intervals import Statistic, person_bootstrap
from visavis.protocols.distractor_scores import DistractorScores
from visavis.protocols.plain import ends
from visavis.protocols.protocol_result import LEVEL, ORACLE, Figure

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
        for code in range(int(codes.max()) + 1):
            rows = np.flatnonzero(codes == code)
            one, two = np.triu_indices(len(rows), 1)
            ones.append(rows[one])
            twos.append(rows[two])
        one, two = np.concatenate(ones), np.concatenate(twos)
        return cls(one, two, np.einsum("pd,pd->p", vectors[one], vectors[two]), codes[one], codes)


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
    people = np.concatenate([mates.people, mates.people])
    figures = []
    for level, size in enumerate(sizes):
        best = found.maxima[:, level]
        hit = np.concatenate([mates.similarity > best[mates.one], mates.similarity > best[mates.two]])
        hits = int(hit.sum())
        figures.append(
            Figure(
                name=f"rank.1.of.{size}",
                value=hits / len(hit),
                interval=_interval(people, _share(hit), seed=seed, resamples=resamples),
                counts={"misses": len(hit) - hits, "hits": hits},
            )
        )
    return figures


def tar_figures(found: DistractorScores, mates: Mates, *, seed: int, resamples: int) -> list[Figure]:
    """TAR at each of `FARS`, over all pairs of a probe and a distractor; a failed side is a rejection.

    Args:
        found: The comparisons of the probes with all distractors.
        mates: The mated pairs of the probes.
        seed: Seed of resamples.
        resamples: Number of resamples of people, each with its own threshold; the distractors are kept.
    """
    scores, rows = found.highest()
    figures = []
    for name, far in FARS.items():
        threshold = found.threshold_at_far(far)
        hits = int((mates.similarity >= threshold).sum())
        statistic = _tar(mates, scores, mates.probe_people[rows], far, found.taken)
        figures.append(
            Figure(
                name=f"tar_at_far.{name}",
                value=hits / len(mates.one),
                interval=_interval(mates.people, statistic, seed=seed, resamples=resamples),
                counts={
                    "false matches": int((scores >= threshold).sum()) if math.isfinite(threshold) else found.compared,
                    "false non-matches": len(mates.one) - hits,
                },
                threshold=threshold,
                label=ORACLE,
            )
        )
    return figures


def _tar(mates: Mates, scores: NDArray[np.float32], who: NDArray[np.intp], far: float, distractors: int) -> Statistic:
    """TAR at FAR of weighted mated pairs, whose weight is that of their person, and so for the probes' other pairs."""
    first = np.unique(mates.people, return_index=True)[1]
    probes = np.bincount(mates.probe_people)

    def tar(weights: NDArray[np.float64]) -> float:
        times = weights[first]
        mass = np.cumsum(times[who])
        place = int(np.searchsorted(mass, far * float(times @ probes) * distractors * (1 + 1e-12), side="right"))
        total = weights.sum()
        if place >= len(mass) or total == 0:
            return math.nan
        return float(weights[mates.similarity > scores[place]].sum() / total)

    return tar


def _share(hit: NDArray[np.bool_]) -> Statistic:
    return lambda weights: float(weights[hit].sum() / weights.sum()) if weights.any() else math.nan


def _interval(
    people: NDArray[np.intp], statistic: Statistic, *, seed: int, resamples: int
) -> tuple[float, float] | None:
    rng = np.random.default_rng(seed)
    return ends(person_bootstrap(people, people, statistic, resamples=resamples, rng=rng, level=LEVEL))
