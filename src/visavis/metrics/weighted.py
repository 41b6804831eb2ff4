"""Figures of a fixed set of pairs as functions of the pair weights, for the bootstrap of people.

Each function sorts or compares the similarities once and returns a closure from weights, float64
``(N,)``, to a number; a resample then costs a few passes over the pairs. With weights of one the closure
gives what the plain metric gives. Failures, ties and weights follow `visavis.metrics.verification`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError
from visavis.metrics import _arrays
from visavis.metrics.curves import Ranking
from visavis.metrics.folds import fold_labels
from visavis.metrics.intervals import Statistic
from visavis.metrics.verification import accepted


def tar_at_far_statistic(similarities: ArrayLike, same: ArrayLike, far: float) -> Statistic:
    """`visavis.metrics.tar_at_far` of weighted pairs; each resample has its own oracle threshold.

    Args:
        similarities: ``(N,)``; NaN for failed pairs.
        same: bool ``(N,)``, True for mated pairs.
        far: Target in 0..1.

    Raises:
        UsageError: Ill-shaped arrays, or a target outside 0..1.
    """
    ranking, target = Ranking.of(similarities, same), _arrays.rate(far, "far")
    return lambda weights: 1.0 - ranking.roc(weights=weights).fnmr_at(target)


def eer_statistic(similarities: ArrayLike, same: ArrayLike) -> Statistic:
    """`visavis.metrics.eer` of weighted pairs.

    Args:
        similarities: ``(N,)``; NaN for failed pairs.
        same: bool ``(N,)``, True for mated pairs.

    Raises:
        UsageError: Ill-shaped arrays.
    """
    ranking = Ranking.of(similarities, same)
    return lambda weights: ranking.roc(weights=weights).eer


def auc_statistic(similarities: ArrayLike, same: ArrayLike) -> Statistic:
    """`visavis.metrics.auc` of weighted pairs.

    Args:
        similarities: ``(N,)``; NaN for failed pairs.
        same: bool ``(N,)``, True for mated pairs.

    Raises:
        UsageError: Ill-shaped arrays.
    """
    ranking = Ranking.of(similarities, same)
    return lambda weights: ranking.roc(weights=weights).auc


def fmr_statistic(similarities: ArrayLike, same: ArrayLike, threshold: float) -> Statistic:
    """`visavis.metrics.fmr` of weighted pairs at one given threshold; mated pairs are ignored.

    Args:
        similarities: ``(N,)``; NaN for failed pairs.
        same: bool ``(N,)``, True for mated pairs.
        threshold: Pairs with ``similarity >= threshold`` are accepted.

    Raises:
        UsageError: Ill-shaped arrays, or a threshold that is NaN.
    """
    scores = _arrays.similarities(similarities, "similarities")
    nonmated = ~_arrays.flags(same, len(scores), "same")
    return _share_of(nonmated & accepted(scores, threshold), nonmated)


def fnmr_statistic(similarities: ArrayLike, same: ArrayLike, threshold: float) -> Statistic:
    """`visavis.metrics.fnmr` of weighted pairs at one given threshold; non-mated pairs are ignored.

    Args:
        similarities: ``(N,)``; NaN for failed pairs.
        same: bool ``(N,)``, True for mated pairs.
        threshold: Pairs with ``similarity >= threshold`` are accepted.

    Raises:
        UsageError: Ill-shaped arrays, or a threshold that is NaN.
    """
    scores = _arrays.similarities(similarities, "similarities")
    mated = _arrays.flags(same, len(scores), "same")
    return _share_of(mated & ~accepted(scores, threshold), mated)


def accuracy_statistic(similarities: ArrayLike, same: ArrayLike, folds: ArrayLike, thresholds: ArrayLike) -> Statistic:
    """Mean over the folds of the weighted accuracy, the thresholds kept as they were chosen.

    With weights of one it is ``fold_accuracy(similarities, same, folds).mean``. Folds that have no
    weight in a resample are left out of its mean.

    Args:
        similarities: ``(N,)``; NaN for failed pairs, which are rejected.
        same: bool ``(N,)``, True for mated pairs.
        folds: int ``(N,)``; pairs with -1 are ignored.
        thresholds: ``(F,)``: one a fold, in ascending order of the folds, as in ``FoldAccuracy.thresholds``.

    Raises:
        UsageError: Ill-shaped arrays, or not one threshold a fold.
    """
    scores = _arrays.similarities(similarities, "similarities")
    mated = _arrays.flags(same, len(scores), "same")
    label = fold_labels(folds, len(scores))
    labels = np.unique(label[label >= 0])
    limits = np.asarray(thresholds, dtype=np.float64)
    if labels.size == 0 or limits.shape != labels.shape or np.isnan(limits).any():
        raise UsageError(f"one threshold a fold is needed: {labels.size} folds have pairs; got {limits.shape}")
    kept = np.flatnonzero(label >= 0)
    position = np.searchsorted(labels, label[kept])
    right = ((scores[kept] >= limits[position]) == mated[kept]).astype(np.float64)

    def accuracy(weights: NDArray[np.float64]) -> float:
        mass = _arrays.weights(weights, len(scores))[kept]
        total = np.bincount(position, weights=mass)
        hits = np.bincount(position, weights=mass * right)
        filled = total > 0
        return float((hits[filled] / total[filled]).mean()) if filled.any() else float("nan")

    return accuracy


def _share_of(events: NDArray[np.bool_], trials: NDArray[np.bool_]) -> Statistic:
    """The weighted share of the trials that are events."""

    def share(weights: NDArray[np.float64]) -> float:
        mass = _arrays.weights(weights, len(trials))
        return _arrays.share(mass[events].sum(), mass[trials].sum())

    return share
