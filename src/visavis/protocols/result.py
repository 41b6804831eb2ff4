"""VerificationResult: what a verification protocol found, ready for JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError
from visavis.metrics.acquisition import fta
from visavis.metrics.curves import Ranking, Roc
from visavis.metrics.folds import FoldAccuracy, fold_accuracy
from visavis.metrics.intervals import Statistic, clopper_pearson, gated, person_bootstrap
from visavis.metrics.verification import accepted, dprime, threshold_at_fmr
from visavis.metrics.weighted import (
    accuracy_statistic,
    auc_statistic,
    eer_statistic,
    fmr_statistic,
    fnmr_statistic,
    tar_at_far_statistic,
)
from visavis.protocols.folds import ProtocolFolds, protocol_folds
from visavis.protocols.pairs import PairList
from visavis.protocols.people import PairPeople, pair_people
from visavis.protocols.plain import ends, plain
from visavis.protocols.role_notes import role_notes

LEVEL = 0.95
"""Nominal coverage of every interval of a result."""

FARS = {"1e-2": 1e-2, "1e-3": 1e-3}
"""The false accept rates at which a result quotes the true accept rate."""

_POINTS = 200
_BINS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationResult:
    """One verification run; every field is a key of `to_dict`.

    Rates follow `visavis.metrics.verification`: a failed pair is rejected and stays in the denominator.
    Intervals are 95 %, over resamples of people, unless a ``method`` says otherwise.

    Attributes:
        model: The recogniser.
        space: Fingerprint of its template space.
        made_by: Engine, precision and versions.
        pairs: Number of pairs; ``mated`` and ``nonmated`` of them.
        mated: Number of pairs of one person.
        nonmated: Number of pairs of two people.
        people: Number of distinct people.
        images: Number of distinct pictures.
        failed: Pairs with a failed side.
        failed_images: Number of failed pictures by reason.
        fta: Failure to acquire: ``rate``, ``events``, ``trials``, ``interval`` (Clopper-Pearson, pictures).
        folds: ``count``, ``labels``, ``source``, ``dropped`` pairs, ``shared_people``, and per fold
            ``accuracy``, ``thresholds`` and ``pairs``.
        accuracy: Mean over folds, each with the threshold that is best on the others.
        accuracy_std: Standard deviation over folds (n - 1).
        accuracy_interval: ``[low, high]``.
        accuracy_without_failures: The same accuracy over pairs without a failed side.
        tar_at_far: True accept rate by false accept rate (``1e-2``, ``1e-3``).
        tar_at_far_intervals: ``[low, high]`` by false accept rate.
        tar_at_far_label: Always ``oracle threshold``: read off the reported pairs.
        oracle_thresholds: Those thresholds, by false accept rate.
        shipped: At the threshold that users get: ``threshold``, ``label``, and for ``fmr`` and ``fnmr`` the
            rate, ``_events``, ``_trials``, ``_interval`` and ``_method``; None without a calibration.
        eer: Equal error rate; None where failures keep the rates apart.
        eer_interval: ``[low, high]``.
        auc: Area under the ROC curve.
        auc_interval: ``[low, high]``.
        dprime: Decidability.
        counts: By figure, how many events it rests on.
        ungated: Figures with fewer than ten events on their rarer side: their count is printed, no claim
            is tested against them.
        level: Nominal coverage of the intervals.
        seconds: Time for reading and embedding; None when it was not taken.
        images_per_second: Pictures over seconds.
        roles: People by role in the ledger.
        ledger: sha256 of the people ledger.
        notes: Sentences that belong next to the figures.
        seed: Seed of folds and resamples.
        resamples: Number of resamples of people.
        curves: ``roc`` (at most 200 operating points) and ``histogram``, for plots.
    """

    model: str
    space: str
    made_by: Mapping[str, Any]
    pairs: int
    mated: int
    nonmated: int
    people: int
    images: int
    failed: int
    failed_images: Mapping[str, int]
    fta: Mapping[str, Any]
    folds: Mapping[str, Any]
    accuracy: float
    accuracy_std: float
    accuracy_interval: tuple[float, float] | None
    accuracy_without_failures: float
    tar_at_far: Mapping[str, float]
    tar_at_far_intervals: Mapping[str, tuple[float, float] | None]
    tar_at_far_label: str
    oracle_thresholds: Mapping[str, float]
    shipped: Mapping[str, Any] | None
    eer: float
    eer_interval: tuple[float, float] | None
    auc: float
    auc_interval: tuple[float, float] | None
    dprime: float
    counts: Mapping[str, Mapping[str, int]]
    ungated: tuple[str, ...]
    level: float
    seconds: float | None
    images_per_second: float | None
    roles: Mapping[str, int]
    ledger: str
    notes: tuple[str, ...]
    seed: int
    resamples: int
    curves: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON: plain numbers, strings, lists and dictionaries; None for what is undefined or infinite.

        Raises:
            UsageError: ``made_by`` holds something that JSON cannot.
        """
        return {"kind": "verification", **{field.name: plain(getattr(self, field.name)) for field in fields(self)}}


def verification_result(
    similarities: ArrayLike,
    pairs: PairList,
    *,
    shipped: tuple[float, str] | None,
    images: int,
    failed_images: Mapping[str, int],
    seconds: float | None,
    roles: Mapping[str, int],
    ledger_sha256: str,
    notes: Sequence[str],
    model: str,
    space: str,
    made_by: Mapping[str, Any],
    seed: int = 0,
    resamples: int = 1000,
) -> VerificationResult:
    """All figures of a verification run, with intervals over people.

    Args:
        similarities: Float ``(N,)``, one a pair; NaN where a side failed.
        pairs: The pairs.
        shipped: The threshold that users get and its label, for example
            ``(0.31, "fmr=1e-3 on lfw calibrate people")``; None without a calibration.
        images: Number of pictures that were read.
        failed_images: How many of them failed, by reason.
        seconds: Time for reading and embedding them; None when it was not taken.
        roles: People by role, see `Ledger.roles`.
        ledger_sha256: Hash of the ledger.
        notes: Sentences that belong next to the figures.
        model: The recogniser.
        space: Fingerprint of its template space.
        made_by: Engine, precision, versions.
        seed: Seed of folds and resamples.
        resamples: Number of resamples of people.

    Raises:
        UsageError: Another number of similarities than pairs, infinite ones, a list without mated or
            non-mated pairs, more failures than pictures.
    """
    if np.shape(similarities) != (len(pairs),):
        raise UsageError(f"one similarity a pair is needed ({len(pairs)}); got shape {np.shape(similarities)}")
    folds = protocol_folds(pairs, seed=seed)
    people = pair_people(pairs)
    ranking = Ranking.of(similarities, pairs.same)
    scores, same = ranking.scores, pairs.same
    curve = ranking.roc()
    accuracy = fold_accuracy(scores, same, folds.labels)

    def interval(statistic: Statistic) -> tuple[float, float] | None:
        rng = np.random.default_rng(seed)
        found = person_bootstrap(people.person1, people.person2, statistic, resamples=resamples, rng=rng, level=LEVEL)
        return ends(found)

    acquisition = fta(sum(failed_images.values()), images, level=LEVEL)
    at_shipped = None if shipped is None else _shipped(scores, same, shipped, interval)
    thresholds = {name: threshold_at_fmr(scores[~same], far) for name, far in FARS.items()}
    counts = {
        "accuracy": _accuracy_counts(accuracy, folds),
        **{f"tar_at_far.{name}": _errors(scores, same, threshold) for name, threshold in thresholds.items()},
        "eer": _eer_counts(curve),
        "fta": {"failed": acquisition.failed, "acquired": images - acquisition.failed},
        **({} if at_shipped is None else _shipped_counts(at_shipped)),
    }
    return VerificationResult(
        model=model,
        space=space,
        made_by=dict(made_by),
        pairs=len(pairs),
        mated=int(same.sum()),
        nonmated=int((~same).sum()),
        people=people.number,
        images=images,
        failed=int(np.isnan(scores).sum()),
        failed_images=dict(failed_images),
        fta={
            "rate": acquisition.rate,
            "events": acquisition.failed,
            "trials": acquisition.attempts,
            "interval": ends(acquisition.interval),
            "method": "Clopper-Pearson over pictures",
        },
        folds=_folds(folds, accuracy),
        accuracy=accuracy.mean,
        accuracy_std=accuracy.std,
        accuracy_interval=interval(accuracy_statistic(scores, same, folds.labels, accuracy.thresholds)),
        accuracy_without_failures=accuracy.accuracy_without_failures,
        tar_at_far={name: 1 - curve.fnmr_at(far) for name, far in FARS.items()},
        tar_at_far_intervals={name: interval(tar_at_far_statistic(scores, same, far)) for name, far in FARS.items()},
        tar_at_far_label="oracle threshold",
        oracle_thresholds=thresholds,
        shipped=at_shipped,
        eer=curve.eer,
        eer_interval=interval(eer_statistic(scores, same)),
        auc=curve.auc,
        auc_interval=interval(auc_statistic(scores, same)),
        dprime=dprime(scores[same], scores[~same]),
        counts=counts,
        ungated=tuple(name for name, sides in counts.items() if not _enough(sides)),
        level=LEVEL,
        seconds=seconds,
        images_per_second=images / seconds if seconds else None,
        roles=dict(roles),
        ledger=ledger_sha256,
        notes=(*notes, *_own_notes(pairs, people, folds, roles, shipped)),
        seed=seed,
        resamples=resamples,
        curves={"roc": _roc_points(curve), "histogram": _histogram(scores, same)},
    )


def _enough(sides: Mapping[str, int]) -> bool:
    """Whether a figure rests on enough events; one that rests on none, such as a perfect EER, does not."""
    total = sum(sides.values())
    return total > 0 and gated(min(sides.values()), total)


def _shipped(
    scores: NDArray[Any],
    same: NDArray[np.bool_],
    shipped: tuple[float, str],
    interval: Callable[[Statistic], tuple[float, float] | None],
) -> dict[str, Any]:
    """Rates at the shipped threshold; a closed form where too few events leave nothing to resample."""
    threshold, label = float(shipped[0]), shipped[1]
    taken = accepted(scores, threshold)
    found: dict[str, Any] = {"threshold": threshold, "label": label}
    for name, wrong, side, statistic in (
        ("fmr", taken & ~same, ~same, fmr_statistic),
        ("fnmr", ~taken & same, same, fnmr_statistic),
    ):
        events, trials = int(wrong.sum()), int(side.sum())
        enough = gated(events, trials)
        found[name] = events / trials
        found[f"{name}_events"] = events
        found[f"{name}_trials"] = trials
        found[f"{name}_interval"] = (
            interval(statistic(scores, same, threshold)) if enough else ends(clopper_pearson(events, trials, LEVEL))
        )
        found[f"{name}_method"] = "resampled people" if enough else "Clopper-Pearson over pairs"
    return found


def _accuracy_counts(accuracy: FoldAccuracy, folds: ProtocolFolds) -> dict[str, int]:
    sizes = np.unique(folds.labels[folds.labels >= 0], return_counts=True)[1]
    right = round(float((accuracy.per_fold * sizes).sum()))
    return {"wrong answers": accuracy.pairs - right, "right answers": right}


def _errors(scores: NDArray[Any], same: NDArray[np.bool_], threshold: float) -> dict[str, int]:
    taken = accepted(scores, threshold)
    return {"false matches": int((taken & ~same).sum()), "false non-matches": int((~taken & same).sum())}


def _eer_counts(curve: Roc) -> dict[str, int]:
    if math.isnan(curve.eer):
        return {"false matches": 0, "false non-matches": 0}
    return {
        "false matches": round(curve.eer * curve.nonmated),
        "false non-matches": round(curve.eer * curve.mated),
    }


def _shipped_counts(shipped: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    return {
        "shipped.fmr": {
            "false matches": shipped["fmr_events"],
            "right rejections": shipped["fmr_trials"] - shipped["fmr_events"],
        },
        "shipped.fnmr": {
            "false non-matches": shipped["fnmr_events"],
            "right matches": shipped["fnmr_trials"] - shipped["fnmr_events"],
        },
    }


def _folds(folds: ProtocolFolds, accuracy: FoldAccuracy) -> dict[str, Any]:
    return {
        "count": len(accuracy.labels),
        "labels": accuracy.labels,
        "source": folds.source,
        "dropped": folds.dropped,
        "shared_people": folds.shared_people,
        "accuracy": accuracy.per_fold,
        "thresholds": accuracy.thresholds,
        "pairs": np.unique(folds.labels[folds.labels >= 0], return_counts=True)[1],
    }


def _own_notes(
    pairs: PairList,
    people: PairPeople,
    folds: ProtocolFolds,
    roles: Mapping[str, int],
    shipped: tuple[float, str] | None,
) -> list[str]:
    notes = []
    if people.linked:
        notes.append(
            "The list does not name its people: pictures that mated pairs link count as one person. Where one person "
            "goes by two, intervals are too narrow."
        )
    if folds.dropped:
        kept = folds.labels >= 0
        notes.append(
            f"Accuracy leaves out {folds.dropped} of {len(pairs)} pairs that lie in no fold; it rests on "
            f"{int(pairs.same[kept].sum())} mated and {int((~pairs.same[kept]).sum())} non-mated pairs. "
            "All other figures use every pair."
        )
    if folds.shared_people:
        notes.append(
            f"The folds are not identity-disjoint: {folds.shared_people} people are in more than one, so accuracy is "
            "a little optimistic."
        )
    return notes + role_notes(roles, calibrated=shipped is not None)


def _roc_points(curve: Roc) -> dict[str, Any]:
    thin = curve.subsample(_POINTS)
    return {"thresholds": thin.thresholds, "fmr": thin.fmr, "fnmr": thin.fnmr}


def _histogram(scores: NDArray[Any], same: NDArray[np.bool_]) -> dict[str, Any]:
    valid = ~np.isnan(scores)
    values = scores[valid].astype(np.float64)
    low, high = (values.min(), values.max()) if values.size else (-1.0, 1.0)
    edges = np.linspace(low, high if high > low else low + 1e-6, _BINS + 1)
    mated, nonmated = (np.histogram(values[side[valid]], edges)[0] for side in (same, ~same))
    return {"edges": edges, "mated": mated, "nonmated": nonmated}
