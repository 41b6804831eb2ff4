"""The figures of IJB 1:N."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.metrics.identification import (
    cmc,
    cmc_statistic,
    dir_at_fpir,
    dir_at_fpir_statistic,
    fnir,
    fpir,
    threshold_at_fpir,
)
from visavis.metrics.intervals import Statistic
from visavis.metrics.searches import Searches, search
from visavis.protocols.ijb_layout import IjbSubjects
from visavis.protocols.person_intervals import PersonIntervals
from visavis.protocols.protocol_result import ORACLE, Figure

RANKS = (1, 5, 10)
FPIRS = {"1e-2": 1e-2, "1e-1": 1e-1}
_CURVE = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50)


@dataclass(frozen=True, slots=True, eq=False)
class IdentificationFigures:
    """What `identification_figures` found.

    Attributes:
        figures: Per gallery and for the mean: rank, then TPIR by FPIR.
        numbers: Probes and galleries.
        notes: Sentences that belong next to the figures.
        cmc: The cumulative match characteristic of each gallery: ``ranks``, and the share at each by gallery.
    """

    figures: tuple[Figure, ...]
    numbers: dict[str, int]
    notes: tuple[str, ...]
    cmc: dict[str, list[float]]


def identification_figures(
    vectors: NDArray[np.float32],
    galleries: Mapping[str, IjbSubjects],
    probes: IjbSubjects,
    *,
    seed: int,
    resamples: int,
    lap: Callable[[str], None] = lambda name: None,
) -> IdentificationFigures:
    """Closed-set rank and open-set TPIR at FPIR, on each gallery and as the plain mean of both.

    All probes are searched in each gallery. Those whose subject is enrolled there are mated searches; the others, whose
    subjects are in the other gallery, are the non-mated ones of the open set.

    Args:
        vectors: float32 ``(T, D)``, unit norm; NaN for failed templates.
        galleries: The galleries by name.
        probes: The probes.
        seed: Seed of resamples.
        resamples: Number of resamples of the probes' subjects; 0 for no intervals. The galleries are kept.
        lap: Called with the name of each step that is done.
    """
    searched = {
        name: search(vectors[probes.rows], vectors[one.rows], probes.people, one.people)
        for name, one in galleries.items()
    }
    lap("searches")

    intervals = PersonIntervals(probes.people, probes.people, seed, resamples)
    figures: list[Figure] = []
    for name, searches in searched.items():
        figures += [_ranked(name, searches, rank, intervals) for rank in RANKS]
        figures += [_open(name, searches, target, intervals) for target in FPIRS]
    for rank in RANKS:
        ranked = [cmc_statistic(one, rank) for one in searched.values()]
        figures.append(_mean(f"rank.{rank}", figures, intervals, ranked))
    for target, rate in FPIRS.items():
        several = [dir_at_fpir_statistic(one, rate) for one in searched.values()]
        figures.append(_mean(f"tpir_at_fpir.{target}", figures, intervals, several))
    lap("intervals")
    enrolled = sum(one.mated for one in searched.values())
    nowhere = int((np.asarray(enrolled) == 0).sum())
    numbers = {"probes": len(probes.rows), "failed_probes": int(np.isnan(vectors[probes.rows, 0]).sum())}
    for name, searches in searched.items():
        numbers |= {
            f"{name}_entries": searches.entries,
            f"{name}_failed_entries": searches.failed_entries,
            f"{name}_mated": int(searches.mated.sum()),
            f"{name}_nonmated": int((~searches.mated).sum()),
        }
    notes = (f"{nowhere} probes are of subjects in no gallery: non-mated in both.",) if nowhere else ()
    curve = {name: cmc(one, _CURVE).tolist() for name, one in searched.items()}
    return IdentificationFigures(tuple(figures), numbers, notes, {"ranks": list(_CURVE), **curve})


def _ranked(name: str, searches: Searches, rank: int, intervals: PersonIntervals) -> Figure:
    mated = int(searches.mated.sum())
    value = float(cmc(searches, [rank])[0])
    missed = 0 if math.isnan(value) else round((1 - value) * mated)
    return Figure(
        name=f"{name}.rank.{rank}",
        value=value,
        interval=intervals.of(cmc_statistic(searches, rank)) if mated else None,
        counts={"misses": missed, "hits": mated - missed},
    )


def _open(name: str, searches: Searches, target: str, intervals: PersonIntervals) -> Figure:
    rate = FPIRS[target]
    threshold = threshold_at_fpir(searches, rate)
    mated, other = int(searches.mated.sum()), int((~searches.mated).sum())
    defined = mated > 0 and other > 0
    return Figure(
        name=f"{name}.tpir_at_fpir.{target}",
        value=dir_at_fpir(searches, fpir=rate),
        interval=intervals.of(dir_at_fpir_statistic(searches, rate)) if defined else None,
        counts={
            "false positives": round(fpir(searches, threshold) * other) if defined else 0,
            "misses": round(fnir(searches, threshold) * mated) if defined else 0,
        },
        threshold=threshold,
        label=ORACLE,
    )


def _mean(rest: str, figures: list[Figure], intervals: PersonIntervals, statistics: list[Statistic]) -> Figure:
    """The plain mean over galleries."""
    parts = [figure for figure in figures if figure.name.partition(".")[2] == rest]
    value = float(np.mean([part.value for part in parts]))
    counts = {name: sum(part.counts[name] for part in parts) for name in parts[0].counts}
    return Figure(
        name=f"mean.{rest}",
        value=value,
        interval=None if math.isnan(value) else intervals.of(lambda w: float(np.mean([one(w) for one in statistics]))),
        counts=counts,
    )
