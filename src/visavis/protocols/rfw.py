"""Racial Faces in the Wild: one recogniser, four groups, one threshold.

Wang et al. 2019, "Racial Faces in the Wild: Reducing Racial Bias by Information Maximization Adaptation Network".
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError
from visavis.io import FolderStore, ImageStore
from visavis.io.files import is_file, is_folder
from visavis.metrics import (
    Statistic,
    accuracy_statistic,
    clopper_pearson,
    fmr_statistic,
    fnmr_statistic,
    fold_accuracy,
    gated,
    person_bootstrap,
    threshold_at_fmr,
)
from visavis.metrics.verification import accepted
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.bin_sets import read_bin
from visavis.protocols.contiguous_folds import with_folds
from visavis.protocols.evaluate import SHIPPED_AT, shipped_threshold, source_of
from visavis.protocols.folds import protocol_folds
from visavis.protocols.given_points import (
    failed_reasons,
    picture_calibration,
    picture_space,
    picture_templates,
    recogniser_of,
    require_one,
)
from visavis.protocols.labelled import Progress
from visavis.protocols.pairs import PairList, read_pairs
from visavis.protocols.people import pair_people
from visavis.protocols.plain import ends
from visavis.protocols.protocol_result import LEVEL, ORACLE, Figure, ProtocolResult
from visavis.protocols.role_notes import roles_touched
from visavis.types import FMR, Templates

GROUPS = ("African", "Asian", "Caucasian", "Indian")


@dataclass(frozen=True, slots=True, eq=False)
class RfwGroup:
    """The pairs of one group and where their pictures are.

    Attributes:
        name: For example ``African``.
        pairs: The pairs, in ten folds.
        store: The pictures.
        aligned: True where the pictures are aligned crops already.
    """

    name: str
    pairs: PairList
    store: ImageStore
    aligned: bool


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


def read_rfw(path: str | Path, *, aligned: bool = False) -> list[RfwGroup]:
    """The groups of a folder, in either official form.

    ``txts/<Group>/<Group>_pairs.txt`` in LFW's form with pictures ``data/<Group>/<id>/<id>_000N.jpg``; or one
    verification file a group, ``<Group>_test.bin`` or ``<Group>.bin``. A list without folds gets ten consecutive ones.

    Args:
        path: The folder; of the first form, or one that holds it as ``test``.
        aligned: The pictures below ``data`` are crops by the ArcFace template; ``.bin`` files always hold such.

    Raises:
        UnreadableError: A file cannot be read.
        InputError: Fewer than two groups, or a file that does not fit.
    """
    top = Path(path, "test") if is_folder(Path(path, "test", "txts")) else Path(path)
    groups = []
    for name in GROUPS:
        bins = [file for file in (top / f"{name}_test.bin", top / f"{name}.bin") if is_file(file)]
        listed = top / "txts" / name / f"{name}_pairs.txt"
        if is_file(listed):
            groups.append(
                RfwGroup(name, with_folds(read_pairs(listed)), FolderStore(top / "data" / name), aligned=aligned)
            )
        elif bins:
            file, pairs = read_bin(bins[0])
            groups.append(RfwGroup(name, pairs, file, aligned=True))
    if len(groups) < 2:
        raise InputError(
            f"{path} holds {len(groups)} of the groups {', '.join(GROUPS)}; give the folder that holds txts/ and "
            "data/, or the .bin files <Group>_test.bin of at least two groups",
            reason="protocol",
        )
    return groups


def evaluate_rfw(
    pipeline: Pipeline,
    groups: Sequence[RfwGroup],
    *,
    at: FMR = SHIPPED_AT,
    seed: int = 0,
    resamples: int = 1000,
    progress: Progress | None = None,
) -> ProtocolResult:
    """Accuracy of each group, and the error rates of every group at one threshold for all.

    Args:
        pipeline: From pictures to templates.
        groups: The groups, of one form.
        at: The false match rate over the non-mated pairs of all groups together that fixes the common threshold.
        seed: Seed of resamples.
        resamples: Number of resamples of people.
        progress: Called with the number of pictures of a group done and of all.

    Raises:
        InputError: No picture of a group could be used.
        UsageError: Pairs that cannot be evaluated.
    """
    begin = time.perf_counter()
    scores, failed, images = [], Counter[str](), 0
    for group in groups:
        names = group.pairs.images
        sources = [source_of(group.store, name) for name in names]
        parts = picture_templates(pipeline, sources, aligned=group.aligned, progress=progress)
        templates = Templates.concat(list(parts))
        require_one(templates.status)
        left, right = group.pairs.positions()
        vectors = templates.vectors.astype(np.float64)
        scores.append(GroupScores(group.name, group.pairs, np.einsum("pd,pd->p", vectors[left], vectors[right])))
        failed.update(failed_reasons(templates.status))
        images += len(names)
    seconds = time.perf_counter() - begin
    aligned = groups[0].aligned
    calibration = picture_calibration(pipeline, aligned=aligned)
    people = {person for one in scores for person in _people(one)}
    roles, ledger, notes = roles_touched("rfw", people, calibrated=calibration is not None)
    return ProtocolResult(
        kind="rfw",
        data="rfw",
        recogniser=recogniser_of(pipeline, picture_space(pipeline, aligned=aligned)),
        numbers={
            "groups": len(groups),
            "pairs": sum(len(one.pairs) for one in scores),
            "failed_pairs": sum(int(np.isnan(one.similarities).sum()) for one in scores),
            "people": len(people),
        },
        figures=tuple(
            group_figures(
                scores,
                at=at,
                shipped=None if calibration is None else shipped_threshold(calibration),
                seed=seed,
                resamples=resamples,
            )
        ),
        failed_images=dict(failed),
        images=images,
        settings={"at": str(at), "aligned": aligned},
        roles=roles,
        ledger=ledger,
        notes=notes,
        seed=seed,
        resamples=resamples,
        seconds={"embedding": seconds},
    )


def group_figures(
    groups: Sequence[GroupScores], *, at: FMR, shipped: tuple[float, str] | None, seed: int = 0, resamples: int = 1000
) -> list[Figure]:
    """Figures of each group, then how far the groups lie apart.

    For each group ``accuracy`` over its ten folds; ``fmr`` and ``fnmr`` at the threshold that meets ``at`` on the
    non-mated pairs of all groups together, and at the shipped threshold where there is one. Then ``spread``: mean and
    sample standard deviation (n - 1) of the accuracies; their skewed error ratio, the largest over the smallest error
    (Wang and Deng 2020, "Mitigating Bias in Face Recognition Using Skewness-Aware Reinforcement Learning"); the largest
    over the smallest FMR and FNMR at the common threshold. A ratio is NaN where the smallest is 0.

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

    def interval(statistic: Statistic) -> tuple[float, float] | None:
        rng = np.random.default_rng(seed)
        return ends(person_bootstrap(first, second, statistic, resamples=resamples, rng=rng, level=LEVEL))

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
                interval=interval(accuracies[-1]),
                counts={"wrong answers": wrong, "right answers": found.pairs - wrong},
            )
        )
    nonmated = np.concatenate([one.similarities[~one.pairs.same] for one in groups])
    common = threshold_at_fmr(nonmated, at.rate)
    for place, threshold, label in (("common", common, ORACLE), *([("shipped", *shipped)] if shipped else [])):
        for one, part in zip(groups, slices, strict=True):
            figures += _rates(one, part, f"{one.name}.{{}}.{place}", threshold, label, interval)
    figures += _spread(groups, slices, accuracies, common, interval)
    return figures


def _people(one: GroupScores) -> set[str]:
    people = pair_people(one.pairs)
    prefix = f"{one.name}:" if people.linked else ""
    return {prefix + person for person in (*people.person1, *people.person2)}


def _of(part: slice, statistic: Statistic) -> Statistic:
    """A statistic of one group as one of all pairs."""
    return lambda weights: statistic(weights[part])


def _rates(
    one: GroupScores,
    part: slice,
    name: str,
    threshold: float,
    label: str,
    interval: Callable[[Statistic], tuple[float, float] | None],
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
                interval=interval(_of(part, statistic(one.similarities, same, threshold)))
                if gated(events, total)
                else ends(clopper_pearson(events, total, LEVEL)),
                counts={words[0]: events, words[1]: total - events},
                threshold=threshold,
                label=label,
            )
        )
    return figures


def _spread(
    groups: Sequence[GroupScores],
    slices: Sequence[slice],
    accuracies: Sequence[Statistic],
    threshold: float,
    interval: Callable[[Statistic], tuple[float, float] | None],
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
            interval=interval(statistic),
            threshold=None if name.startswith("accuracy") else threshold,
            label="" if name.startswith("accuracy") else ORACLE,
        )
        for name, statistic in statistics.items()
    ]


def _ratio(values: Sequence[float]) -> float:
    """The largest over the smallest; NaN where that is 0."""
    return max(values) / min(values) if min(values) > 0 else float("nan")
