"""Verification accuracy by folds: the LFW protocol."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError
from visavis.metrics import _arrays
from visavis.metrics.curves import Ranking


@dataclass(frozen=True, slots=True, eq=False)
class FoldAccuracy:
    """Accuracy on each fold with a threshold chosen on the others.

    Attributes:
        labels: int64 ``(K,)``: the distinct fold labels, ascending.
        accuracy: float64 ``(K,)``: share of right answers on the fold; NaN for a fold without weight.
        thresholds: float64 ``(K,)``: the threshold chosen on the other folds.
        pairs: float64 ``(K,)``: number (total weight) of the pairs of each fold.
    """

    labels: NDArray[np.int64]
    accuracy: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    pairs: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """Mean accuracy over the folds that hold pairs, each fold counting the same."""
        valid = self._valid()
        return float(valid.mean()) if valid.size else math.nan

    @property
    def std(self) -> float:
        """Standard deviation over folds (n - 1); NaN for a single fold."""
        valid = self._valid()
        return float(valid.std(ddof=1)) if valid.size > 1 else math.nan

    @property
    def standard_error(self) -> float:
        """``std / sqrt(K)``, the figure LFW tables print; it ignores that people recur within a fold."""
        return self.std / math.sqrt(max(self._valid().size, 1))

    def _valid(self) -> NDArray[np.float64]:
        return self.accuracy[~np.isnan(self.accuracy)]


def best_threshold(similarities: ArrayLike, same: ArrayLike, *, weights: ArrayLike | None = None) -> float:
    """The threshold with the most right answers on these pairs.

    All thresholds between two neighbouring distinct similarities decide alike, so the candidates are
    intervals; the middle of the best one is returned. Tie rule: of several best intervals the widest,
    then the highest. Accepting nobody (threshold just above the highest score) and accepting
    everybody (the lowest score) have width zero, so they win only where nothing else is as good.
    The answer does not depend on the order of the pairs.

    Args:
        similarities: ``(P,)``; NaN is a failed pair, rejected at every threshold.
        same: bool ``(P,)``, True for mated pairs.
        weights: One weight a pair, ``(P,)``; pairs of weight 0 do not exist.

    Returns:
        The threshold; ``inf`` when no pair has both a score and weight.

    Raises:
        UsageError: Empty or ill-shaped arrays.

    Example:
        >>> best_threshold([0.9, 0.7, 0.3, 0.1], [True, True, False, False])
        0.5
    """
    ranking = Ranking.of(similarities, same)
    return _best(ranking.values, *(mass[:-1] for mass in ranking.masses(weights)))


def fold_accuracy(
    similarities: ArrayLike, same: ArrayLike, folds: ArrayLike, *, weights: ArrayLike | None = None
) -> FoldAccuracy:
    """Accuracy on each fold at the threshold that is most accurate on all other folds.

    Huang et al. 2007, "Labeled Faces in the Wild", view 2. A failed pair (NaN) is rejected: a wrong
    answer where it is mated, the right one where it is not. The search over thresholds is exact, see
    `best_threshold` for ties.

    Args:
        similarities: ``(P,)``; NaN for failed pairs.
        same: bool ``(P,)``, True for mated pairs.
        folds: int ``(P,)``: the fold of each pair; pairs with a negative fold are left out.
        weights: One weight a pair, ``(P,)``.

    Raises:
        UsageError: Empty or ill-shaped arrays, or fewer than two folds.

    Example:
        >>> fold_accuracy([0.9, 0.1, 0.8, 0.2], [1, 0, 1, 0], [1, 1, 2, 2]).mean
        1.0
    """
    return ranked_fold_accuracy(Ranking.of(similarities, same), folds, weights=weights)


def ranked_fold_accuracy(ranking: Ranking, folds: ArrayLike, *, weights: ArrayLike | None = None) -> FoldAccuracy:
    """`fold_accuracy` of pairs already ranked: ``O(P K)`` for each weighting, without a sort.

    Args:
        ranking: The ranked pairs.
        folds: int ``(P,)``: the fold of each pair; negative to leave it out.
        weights: One weight a pair, ``(P,)``.

    Raises:
        UsageError: Ill-shaped arrays, or fewer than two folds.
    """
    places = np.asarray(folds)
    if places.shape != ranking.rows.shape or places.dtype.kind not in "iu":
        raise UsageError(f"folds must be integers, one a pair ({len(ranking.rows)}); got {places.dtype} {places.shape}")
    labels = np.unique(places[places >= 0]).astype(np.int64)
    if len(labels) < 2:
        raise UsageError(
            f"accuracy by folds needs at least 2 folds, to choose each threshold elsewhere; got {len(labels)}"
        )
    mass = np.where(places >= 0, _arrays.weights(weights, len(places)), 0.0)
    mated, nonmated = ranking.masses(mass)
    scores = ranking.scores.astype(np.float64)
    accuracy, thresholds, pairs = (np.full(len(labels), np.nan) for _ in range(3))
    for row, label in enumerate(labels):
        inside = np.flatnonzero(places == label)
        own, right, held = ranking.rows[inside], ranking.same[inside], mass[inside]
        mated_rest = mated - np.bincount(own, weights=held * right, minlength=len(mated))
        nonmated_rest = nonmated - np.bincount(own, weights=held * ~right, minlength=len(nonmated))
        thresholds[row] = _best(ranking.values, mated_rest[:-1], nonmated_rest[:-1])
        correct = (scores[inside] >= thresholds[row]) == right
        pairs[row] = held.sum()
        accuracy[row] = _arrays.share(held[correct].sum(), pairs[row])
    return FoldAccuracy(labels, accuracy, thresholds, pairs)


def _best(values: NDArray[Any], mated: NDArray[np.float64], nonmated: NDArray[np.float64]) -> float:
    """The middle of the best interval between descending distinct values that carry weight."""
    present = (mated + nonmated) > 0
    values = values[present]
    if values.size == 0:
        return math.inf
    gain = np.concatenate([[0.0], np.cumsum(mated[present] - nonmated[present])])
    best = np.flatnonzero(gain == gain.max())
    inner = best[(best > 0) & (best < len(values))]
    if inner.size == 0:
        return _arrays.just_above(values[0]) if best[0] == 0 else float(values[-1])
    upper, lower = values[inner - 1], values[inner]
    widest = int(np.argmax(upper.astype(np.float64) / 2 - lower.astype(np.float64) / 2))
    high, low = upper[widest], lower[widest]
    middle = high / 2 + low / 2
    return float(middle if low < middle <= high else high)
