"""The figures of groups that share one threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.metrics import (
    Statistic,
    accuracy_statistic,
    clopper_pearson,
    fmr_statistic,
    fnmr_statistic,
    fold_accuracy,
    gated,
    threshold_at_fmr,
)
from visavis.metrics.verification import accepted
from visavis.protocols.folds import protocol_folds
from visavis.protocols.pairs import PairList
from visavis.protocols.people import pair_people
from visavis.protocols.person_intervals import PersonIntervals
from visavis.protocols.protocol_result import LEVEL, ORACLE, Figure
from visavis.types import FMR


@dataclass(frozen=True, slots=True, eq=False)
class GroupScores:
    """The similarities of one group.

    Attributes:
        name: Of the group.
        pairs: Its pairs, in folds.
        similarities: float64 ``(P,)``; NaN where a side failed.
    """

    name: str
    pairs: PairList
    similarities: NDArray[np.float64]


def group_figures(
    groups: Sequence[GroupScores], *, at: FMR, shipped: tuple[float, str] | None, seed: int = 0, resamples: int = 1000
) -> list[Figure]:
    """Figures of each group, then how far the groups lie apart.

    For each group ``accuracy`` over its folds; ``fmr`` and ``fnmr`` at the threshold that meets ``at`` on the
    non-mated pairs of all groups together, and at the shipped threshold where there is one; below 10 events their
    interval is Clopper and Pearson's over pairs. Then ``spread``: mean and sample standard deviation (n - 1) of the
    accuracies; their skewed error ratio, the largest over the smallest error (Wang and Deng 2020, "Mitigating Bias in
    Face Recognition Using Skewness-Aware Reinforcement Learning"); the largest over the smallest FMR and FNMR at the
    common threshold. A ratio is NaN where the smallest is 0, and its interval leaves out the resamples where that is
    so. Figures of ``spread`` carry the counts of the group that counted least.

    Args:
        groups: At least two groups.
        at: Where the common threshold is.
        shipped: The threshold that users get and its label.
        seed: Seed of resamples.
        resamples: Number of resamples of people of all groups together.
    """
    sizes = np.cumsum([0, *(len(one.pairs) for one in groups)])
    slices = [slice(*ends_) for ends_ in zip(sizes[:-1].tolist(), sizes[1:].tolist(), strict=True)]
    first = np.array([f"{one.name}/{person}" for one in groups for person in pair_people(one.pairs).person1])
    second = np.array([f"{one.name}/{person}" for one in groups for person in pair_people(one.pairs).person2])

    intervals = PersonIntervals(first, second, seed, resamples)
    figures, accuracies = [], []
    for one, part in zip(groups, slices, strict=True):
        folds = protocol_folds(one.pairs, seed=seed).labels
        found = fold_accuracy(one.similarities, one.pairs.same, folds)
        accuracies.append(_of(part, accuracy_statistic(one.similarities, one.pairs.same, folds, found.thresholds)))
        wrong = round(float((1 - found.per_fold) @ np.unique(folds[folds >= 0], return_counts=True)[1]))
        figures.append(
            Figure(
                name=f"{one.name}.accuracy",
                value=found.mean,
                interval=intervals.of(accuracies[-1]),
                counts={"wrong answers": wrong, "right answers": found.pairs - wrong},
            )
        )
    nonmated = np.concatenate([one.similarities[~one.pairs.same] for one in groups])
    common = threshold_at_fmr(nonmated, at.rate)
    for place, threshold, label in (("common", common, ORACLE), *([("shipped", *shipped)] if shipped else [])):
        for one, part in zip(groups, slices, strict=True):
            figures += _rates(one, part, f"{one.name}.{{}}.{place}", threshold, label, intervals)
    figures += _spread(figures, groups, slices, accuracies, common, intervals)
    return figures


def _of(part: slice, statistic: Statistic) -> Statistic:
    """A statistic of one group as one of all pairs."""
    return lambda weights: statistic(weights[part])


def _rates(
    one: GroupScores,
    part: slice,
    name: str,
    threshold: float,
    label: str,
    intervals: PersonIntervals,
) -> list[Figure]:
    taken, same = accepted(one.similarities, threshold), one.pairs.same
    figures = []
    for rate, wrong, trials, statistic, words in (
        ("fmr", taken & ~same, ~same, fmr_statistic, ("false matches", "right rejections")),
        ("fnmr", ~taken & same, same, fnmr_statistic, ("false non-matches", "right matches")),
    ):
        events, total = int(wrong.sum()), int(trials.sum())
        figures.append(
            Figure(
                name=name.format(rate),
                value=events / total,
                interval=intervals.of(_of(part, statistic(one.similarities, same, threshold)))
                if gated(events, total)
                else clopper_pearson(events, total, LEVEL),
                counts={words[0]: events, words[1]: total - events},
                threshold=threshold,
                label=label,
            )
        )
    return figures


def _spread(
    figures: Sequence[Figure],
    groups: Sequence[GroupScores],
    slices: Sequence[slice],
    accuracies: Sequence[Statistic],
    threshold: float,
    intervals: PersonIntervals,
) -> list[Figure]:
    rates: Mapping[str, Any] = {"fmr": fmr_statistic, "fnmr": fnmr_statistic}
    by_rate = {
        name: [
            _of(part, make(one.similarities, one.pairs.same, threshold))
            for one, part in zip(groups, slices, strict=True)
        ]
        for name, make in rates.items()
    }
    statistics: dict[str, Statistic] = {
        "accuracy.mean": lambda weights: float(np.mean([one(weights) for one in accuracies])),
        "accuracy.std": lambda weights: float(np.std([one(weights) for one in accuracies], ddof=1)),
        "accuracy.skewed_error_ratio": lambda weights: _ratio([1 - one(weights) for one in accuracies]),
        "fmr.ratio": lambda weights: _ratio([one(weights) for one in by_rate["fmr"]]),
        "fnmr.ratio": lambda weights: _ratio([one(weights) for one in by_rate["fnmr"]]),
    }
    ones = np.ones(slices[-1].stop)
    return [
        Figure(
            name=f"spread.{name}",
            value=statistic(ones),
            interval=intervals.of(statistic),
            counts=_fewest(figures, name.partition(".")[0], groups),
            threshold=None if name.startswith("accuracy") else threshold,
            label="" if name.startswith("accuracy") else ORACLE,
        )
        for name, statistic in statistics.items()
    ]


def _fewest(figures: Sequence[Figure], what: str, groups: Sequence[GroupScores]) -> dict[str, int]:
    """What was counted in the group that counted least on its rarer side."""
    place = "" if what == "accuracy" else ".common"
    names = {f"{one.name}.{what}{place}" for one in groups}
    parts = [dict(figure.counts) for figure in figures if figure.name in names]
    return min(parts, key=lambda counts: min(counts.values()))


def _ratio(values: Sequence[float]) -> float:
    """The largest over the smallest; NaN where that is 0."""
    return max(values) / min(values) if min(values) > 0 else float("nan")
