"""The figures of low-resolution recognition, size by size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visavis.metrics.identification import cmc, cmc_statistic
from visavis.metrics.searches import search
from visavis.metrics.square_bootstrap import nonmated_share_interval
from visavis.metrics.tail_bootstrap import tar_at_far_intervals
from visavis.metrics.verification import fnmr, threshold_at_fmr
from visavis.protocols.person_intervals import PersonIntervals
from visavis.protocols.protocol_result import LEVEL, ORACLE, Figure
from visavis.protocols.sized_pictures import FULL
from visavis.types import Templates

if TYPE_CHECKING:
    from visavis.protocols.low_resolution import SizedPeople

FARS = {"1e-2": 1e-2, "1e-3": 1e-3}


@dataclass(frozen=True, slots=True)
class ShippedThreshold:
    """A threshold that users get.

    Attributes:
        value: The threshold.
        label: Operating point and population.
    """

    value: float
    label: str


@dataclass(frozen=True, slots=True, eq=False)
class LowResolutionFigures:
    """What `low_resolution_figures` found.

    Attributes:
        figures: ``NAME@SIZE``: failed, rank.1, tar_at_far.RATE of the small probe against the full gallery and
            tar_at_far_both.RATE where both pictures are small; with a shipped threshold fmr and fnmr, fmr_both and
            fnmr_both likewise.
        curves: Mean similarity of pairs by size: ``mated``, ``nonmated`` against the full gallery, ``nonmated_both``.
    """

    figures: tuple[Figure, ...]
    curves: dict[str, list[float]]


def low_resolution_figures(
    people: SizedPeople,
    gallery: Templates,
    sizes: Sequence[str],
    *,
    shipped: ShippedThreshold | None,
    both: ShippedThreshold | None,
    seed: int,
    resamples: int,
) -> LowResolutionFigures:
    """All figures; row i of every set of templates is of person i.

    A failed picture is a rejection: of its mate, and of everybody else. Impostors are all pairs of different people.

    Args:
        people: Of the probes' recogniser.
        gallery: The full pictures that are enrolled.
        sizes: Names of the sizes.
        shipped: For a probe against the gallery; no rates at it when None.
        both: For two pictures of the probes' recogniser.
        seed: Seed of resamples.
        resamples: Number of resamples of people; 0 for no intervals.
    """
    rows = np.arange(len(gallery))
    every = PersonIntervals(rows, rows, seed, resamples)
    figures: list[Figure] = []
    curves: dict[str, list[float]] = {"mated": [], "nonmated": [], "nonmated_both": []}
    for name in sizes:
        probes = people.probes[name]
        table = probes.vectors @ gallery.vectors.T
        figures += [_failed(f"failed@{name}", ~probes.ok, every), _ranked(f"rank.1@{name}", probes, gallery, every)]
        figures += _accepted("", name, table, every)
        if shipped is not None:
            figures += _rates("", name, table, shipped, every)
        curves["mated"].append(_mean(np.diag(table)))
        curves["nonmated"].append(_mean(nonmated(table)))
        small = table if name == FULL and both is shipped else probes.vectors @ people.gallery[name].vectors.T
        curves["nonmated_both"].append(_mean(nonmated(small)))
        if small is not table:
            figures += _accepted("_both", name, small, every)
            if both is not None:
                figures += _rates("_both", name, small, both, every)
    return LowResolutionFigures(tuple(figures), curves)


def nonmated(table: NDArray[Any]) -> NDArray[Any]:
    """All cells of a square but its diagonal, row by row."""
    return table[~np.eye(len(table), dtype=bool)]


def _mean(values: NDArray[Any]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean(dtype=np.float64)) if len(known) else math.nan


def _failed(name: str, failed: NDArray[np.bool_], every: PersonIntervals) -> Figure:
    return Figure(
        name=name,
        value=float(failed.mean()),
        interval=every.of(lambda weights: float((weights * failed).sum() / weights.sum())),
        counts={"failed": int(failed.sum()), "found": int((~failed).sum())},
    )


def _ranked(name: str, probes: Templates, gallery: Templates, every: PersonIntervals) -> Figure:
    searches = search(probes.vectors, gallery.vectors, every.people_a, every.people_b)
    value = float(cmc(searches, [1])[0])
    hits = round(value * len(probes))
    return Figure(
        name=name,
        value=value,
        interval=every.of(cmc_statistic(searches, 1)),
        counts={"misses": len(probes) - hits, "hits": hits},
    )


def _accepted(suffix: str, name: str, table: NDArray[np.float32], every: PersonIntervals) -> list[Figure]:
    """TAR at thresholds that are read off the pairs of this size."""
    mated, others = np.diag(table), nonmated(table)
    number = len(table)
    intervals: Mapping[str, Any] = {}
    if every.resamples:
        first, second = np.divmod(np.flatnonzero(~np.eye(number, dtype=bool)), number)
        found = tar_at_far_intervals(
            mated,
            others,
            np.arange(number),
            first.astype(np.int32),
            second.astype(np.int32),
            list(FARS.values()),
            resamples=every.resamples,
            rng=np.random.default_rng(every.seed),
            level=LEVEL,
        )
        intervals = dict(zip(FARS, found, strict=True))
    figures = []
    for far, rate in FARS.items():
        threshold = threshold_at_fmr(others, rate)
        missed = round(fnmr(mated, threshold) * number)
        figures.append(
            Figure(
                name=f"tar_at_far{suffix}.{far}@{name}",
                value=1 - missed / number,
                interval=intervals.get(far),
                counts={"false matches": int((others >= threshold).sum()), "false non-matches": missed},
                threshold=threshold,
                label=ORACLE,
            )
        )
    return figures


def _rates(
    suffix: str, name: str, table: NDArray[np.float32], at: ShippedThreshold, every: PersonIntervals
) -> list[Figure]:
    hits = table >= at.value
    matched = int(nonmated(hits).sum())
    pairs = len(table) * (len(table) - 1)
    missed = ~np.diag(hits)
    interval = None
    if every.resamples:
        interval = nonmated_share_interval(hits, resamples=every.resamples, rng=np.random.default_rng(every.seed))
    return [
        Figure(
            name=f"fmr{suffix}@{name}",
            value=matched / pairs,
            interval=interval,
            counts={"false matches": matched, "right rejections": pairs - matched},
            threshold=at.value,
            label=at.label,
        ),
        Figure(
            name=f"fnmr{suffix}@{name}",
            value=float(missed.mean()),
            interval=every.of(lambda weights: float((weights * missed).sum() / weights.sum())),
            counts={"false non-matches": int(missed.sum()), "matches": int((~missed).sum())},
            threshold=at.value,
            label=at.label,
        ),
    ]
