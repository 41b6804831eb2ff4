"""The cross-validated accuracy of LFW, and folds in which no person appears twice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError
from visavis.metrics import _arrays
from visavis.metrics.components import components
from visavis.metrics.curves import Ranking


@dataclass(frozen=True, slots=True, eq=False)
class FoldAccuracy:
    """Accuracy over F folds, each judged at the threshold that the other folds chose.

    Attributes:
        mean: Mean of ``per_fold``, failures counted as rejections.
        std: Sample standard deviation (F - 1) over the folds.
        per_fold: float64 ``(F,)``.
        thresholds: float64 ``(F,)``; ``inf`` rejects and ``-inf`` accepts every pair.
        labels: int64 ``(F,)``, ascending: the fold that each entry belongs to.
        pairs: Pairs that have a fold.
        failed: Those of them whose similarity is NaN.
        accuracy_without_failures: Mean over the folds of the accuracy on pairs that did not fail, at the
            same thresholds; folds without such a pair are left out, NaN when there is none.
    """

    mean: float
    std: float
    per_fold: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    labels: NDArray[np.int64]
    pairs: int
    failed: int
    accuracy_without_failures: float

    @property
    def standard_error(self) -> float:
        """``std / sqrt(F)``, the number behind the +- of the LFW tables."""
        return self.std / math.sqrt(len(self.per_fold))


def fold_accuracy(similarities: ArrayLike, same: ArrayLike, folds: ArrayLike) -> FoldAccuracy:
    """Accuracy by the LFW protocol: the threshold for each fold is chosen on all other folds.

    Huang et al. 2007, "Labeled Faces in the Wild", View 2. A pair is called the same person when
    ``similarity >= threshold``. Between two adjacent distinct similarities of the other folds all
    thresholds decide alike; the threshold is the middle of the best such interval. Of several
    intervals with equal accuracy the middle one is taken, the lower of two. The two outer intervals
    are unbounded and stand for ``inf`` and ``-inf``.

    A NaN similarity is a failed pair and is rejected: wrong when mated, right when non-mated.

    One sort, then one pass a fold: ``O(N log N + F N)``.

    Args:
        similarities: ``(N,)``; NaN for failed pairs.
        same: bool ``(N,)``, True for mated pairs.
        folds: int ``(N,)``: the fold of each pair; pairs with -1 are ignored.

    Raises:
        UsageError: Ill-shaped arrays, or fewer than two folds.

    Example:
        >>> result = fold_accuracy([0.9, 0.1, 0.7, 0.2], [True, False, True, False], [0, 0, 1, 1])
        >>> result.mean, [round(value, 2) for value in result.thresholds.tolist()]
        (1.0, [0.45, 0.5])
    """
    scores = _arrays.similarities(similarities, "similarities")
    mated = _arrays.flags(same, len(scores), "same")
    label = fold_labels(folds, len(scores))
    kept = label >= 0
    labels = np.unique(label[kept])
    if len(labels) < 2:
        raise UsageError(f"cross-validation needs at least two folds that have pairs; got {labels.tolist()}")
    ranking, label = Ranking.of(scores[kept], mated[kept]), label[kept]
    thresholds = np.array([_best_threshold(ranking, label != fold) for fold in labels])
    position = np.searchsorted(labels, label)
    valid = ranking.rows < len(ranking.values)
    right = (ranking.scores >= thresholds[position]) == ranking.same
    per_fold = np.bincount(position, weights=right) / np.bincount(position)
    tried = np.bincount(position[valid], minlength=len(labels))
    hits = np.bincount(position[valid], weights=right[valid], minlength=len(labels))
    answered = tried > 0
    return FoldAccuracy(
        mean=float(per_fold.mean()),
        std=float(per_fold.std(ddof=1)),
        per_fold=per_fold,
        thresholds=thresholds,
        labels=labels,
        pairs=len(label),
        failed=int((~valid).sum()),
        accuracy_without_failures=float((hits[answered] / tried[answered]).mean()) if answered.any() else math.nan,
    )


def identity_folds(people_a: ArrayLike, people_b: ArrayLike, *, k: int = 10, seed: int = 0) -> NDArray[np.int64]:
    """Folds of pairs such that no person appears in two of them.

    Pairs link people; the connected components of that graph can be dealt out whole, without losing a
    pair. When no component holds more than ``2 / k`` of the pairs, they are: the largest first, each to
    the fold with the fewest pairs (components of one size in random order). Otherwise people are
    shuffled and dealt to the folds in turn, and a pair whose two people fall in different folds gets
    -1: about ``1 - 1 / k`` of the pairs of two people are lost and none of one person, so count them.

    Args:
        people_a: Identity of the first face of each pair ``(N,)``, integers or text.
        people_b: Identity of the second face ``(N,)``.
        k: Number of folds, at least 2. Few components can leave some folds empty.
        seed: Seed of the shuffle.

    Returns:
        int64 ``(N,)``: the fold 0..k-1 of each pair, or -1 for a dropped pair.

    Raises:
        UsageError: Ill-shaped arrays, or k below 2.

    Example:
        >>> identity_folds(["ann", "ann", "bob"], ["ann", "cid", "bob"], k=2).tolist()
        [0, 0, 1]
    """
    if k < 2:
        raise UsageError(f"k must be at least 2; got {k}")
    first, second, number = _arrays.people(people_a, people_b)
    rng = np.random.default_rng(seed)
    component = components(first, second, number)[first]
    sizes = np.bincount(component)
    if sizes.max() * k <= 2 * len(first):
        return _deal(sizes, k, rng)[component]
    fold = np.empty(number, dtype=np.int64)
    fold[rng.permutation(number)] = np.arange(number) % k
    return np.where(fold[first] == fold[second], fold[first], np.int64(-1))


def fold_labels(folds: ArrayLike, length: int) -> NDArray[np.int64]:
    """Fold numbers as int64 ``(length,)``, -1 for pairs without a fold.

    Raises:
        UsageError: Another shape, not integers, or below -1.
    """
    label = np.asarray(folds)
    if label.shape != (length,) or label.dtype.kind not in "iu" or (label.size and label.min() < -1):
        raise UsageError(f"folds must be {length} integers from -1 (no fold) up; got {label.dtype} {label.shape}")
    return label.astype(np.int64)


def _best_threshold(ranking: Ranking, chosen: NDArray[np.bool_]) -> float:
    """The threshold of highest accuracy on the chosen pairs, by the tie rule of `fold_accuracy`."""
    rows, same = ranking.rows[chosen], ranking.same[chosen]
    size = len(ranking.values)
    accepted = np.bincount(rows, minlength=size + 1)[:size]
    mated = np.bincount(rows[same], minlength=size + 1)[:size]
    present = accepted > 0
    values: NDArray[Any] = ranking.values[present].astype(np.float64)
    # Accepting the j best distinct similarities changes the number of right answers by gain[j].
    gain = np.concatenate([[0], np.cumsum((2 * mated - accepted)[present])])
    best = np.flatnonzero(gain == gain.max())
    cut = int(best[len(best) // 2])
    if cut == 0:
        return math.inf
    if cut == len(values):
        return -math.inf
    above, below = float(values[cut - 1]), float(values[cut])
    middle = 0.5 * above + 0.5 * below
    return middle if middle > below else above


def _deal(sizes: NDArray[np.intp], k: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The fold of each component: the largest first, each to the fold with the fewest pairs."""
    shuffled = rng.permutation(np.flatnonzero(sizes))
    fold = np.full(len(sizes), -1, dtype=np.int64)
    load = np.zeros(k, dtype=np.int64)
    for component in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        lightest = int(np.argmin(load))
        fold[component] = lightest
        load[lightest] += sizes[component]
    return fold
