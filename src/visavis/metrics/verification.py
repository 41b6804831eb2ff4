"""Error rates of verification at a threshold, and thresholds at an error rate.

Conventions of every metric of this package (ISO/IEC 19795-1 words):

- A similarity is higher for closer; a pair is accepted when ``similarity >= threshold``.
- *mated* similarities come from two samples of one person, *non-mated* from two people.
- NaN is a failed acquisition and is always rejected: an error on the mated side, a correct rejection
  on the non-mated side, and it stays in the denominator. These are the *generalised* rates GFRR and
  GFAR of ISO/IEC 19795-1, for which a system cannot gain by refusing difficult pictures.
- ``weights`` is one weight a pair; an integer weight means that many copies of the pair. Where all
  weights are zero a rate is undefined and NaN.
- Comparisons are exact: scores keep their dtype, thresholds are compared in float64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError
from visavis.metrics import _arrays


def fmr(nonmated: ArrayLike, threshold: float, *, weights: ArrayLike | None = None) -> float:
    """False match rate: the share of non-mated pairs that are accepted.

    Args:
        nonmated: Similarities ``(N,)``; NaN is a failed acquisition, a correct rejection (GFAR).
        threshold: Pairs with ``similarity >= threshold`` are accepted.
        weights: One weight a pair, ``(N,)``.

    Raises:
        UsageError: Empty or ill-shaped arrays, or a threshold that is NaN.

    Example:
        >>> fmr([0.1, 0.2, 0.3, float("nan")], 0.2)
        0.5
    """
    scores = _arrays.similarities(nonmated, "nonmated")
    mass = _arrays.weights(weights, len(scores))
    return _arrays.share(mass[accepted(scores, threshold)].sum(), mass.sum())


def fnmr(mated: ArrayLike, threshold: float, *, weights: ArrayLike | None = None) -> float:
    """False non-match rate: the share of mated pairs that are not accepted.

    Args:
        mated: Similarities ``(N,)``; NaN is a failed acquisition, a false rejection (GFRR).
        threshold: Pairs with ``similarity >= threshold`` are accepted.
        weights: One weight a pair, ``(N,)``.

    Raises:
        UsageError: Empty or ill-shaped arrays, or a threshold that is NaN.

    Example:
        >>> fnmr([0.9, 0.8, 0.7, float("nan")], 0.75)
        0.5
    """
    scores = _arrays.similarities(mated, "mated")
    mass = _arrays.weights(weights, len(scores))
    return _arrays.share(mass[~accepted(scores, threshold)].sum(), mass.sum())


def threshold_at_fmr(nonmated: ArrayLike, fmr: float, *, weights: ArrayLike | None = None) -> float:
    """The smallest threshold whose realised FMR on these pairs does not exceed ``fmr``; exact with ties.

    It lies just above the highest similarity that must still be rejected: the next number in the dtype
    of the scores, so that it separates float32 scores in float32 and in float64 arithmetic alike.
    Below one false match in N (``fmr < 1 / N``) it lies just above the highest similarity: the data
    cannot tell such rates apart, so look at the number of events.

    Args:
        nonmated: Similarities ``(N,)``; NaN counts as rejected at every threshold.
        fmr: Target in 0..1.
        weights: One weight a pair, ``(N,)``.

    Returns:
        The threshold; ``-inf`` when accepting every pair meets the target. NaN when all weights are 0.

    Raises:
        UsageError: Empty or ill-shaped arrays, or a target outside 0..1.

    Example:
        >>> threshold_at_fmr([0.1, 0.2, 0.3, 0.4], 0.25) > 0.3
        True
        >>> threshold_at_fmr([0.1, 0.2, 0.4, 0.4], 0.25) > 0.4
        True
    """
    scores = _arrays.similarities(nonmated, "nonmated")
    target = _arrays.rate(fmr, "fmr")
    if weights is not None:
        return _weighted_threshold(scores, target, _arrays.weights(weights, len(scores)))
    count = _arrays.allowed(target, len(scores))
    valid = scores[~np.isnan(scores)]
    if count >= len(valid):
        return -math.inf
    rank = len(valid) - 1 - count
    return _arrays.just_above(np.partition(valid, rank)[rank])


def fnmr_at_fmr(
    mated: ArrayLike,
    nonmated: ArrayLike,
    *,
    fmr: float,
    mated_weights: ArrayLike | None = None,
    nonmated_weights: ArrayLike | None = None,
) -> float:
    """FNMR at the smallest threshold that keeps the FMR of these very pairs at or below ``fmr``.

    The threshold is read off the reported pairs: an *oracle threshold*, which no deployed system has.

    Args:
        mated: Similarities ``(M,)``.
        nonmated: Similarities ``(N,)``.
        fmr: Target in 0..1.
        mated_weights: One weight a mated pair.
        nonmated_weights: One weight a non-mated pair.

    Raises:
        UsageError: Empty or ill-shaped arrays, or a target outside 0..1.

    Example:
        >>> fnmr_at_fmr([0.9, 0.8, 0.35], [0.1, 0.2, 0.3, 0.4], fmr=0.0)
        0.3333333333333333
    """
    left = _arrays.similarities(mated, "mated")
    right = _arrays.similarities(nonmated, "nonmated")
    finer = np.result_type(left, right)
    threshold = threshold_at_fmr(right.astype(finer, copy=False), fmr, weights=nonmated_weights)
    return math.nan if math.isnan(threshold) else fnmr(left, threshold, weights=mated_weights)


def tar_at_far(
    mated: ArrayLike,
    nonmated: ArrayLike,
    *,
    far: float,
    mated_weights: ArrayLike | None = None,
    nonmated_weights: ArrayLike | None = None,
) -> float:
    """``1 - fnmr_at_fmr``: the true accept rate at a false accept rate, with an oracle threshold.

    Args:
        mated: Similarities ``(M,)``.
        nonmated: Similarities ``(N,)``.
        far: Target in 0..1.
        mated_weights: One weight a mated pair.
        nonmated_weights: One weight a non-mated pair.

    Raises:
        UsageError: Empty or ill-shaped arrays, or a target outside 0..1.
    """
    return 1.0 - fnmr_at_fmr(mated, nonmated, fmr=far, mated_weights=mated_weights, nonmated_weights=nonmated_weights)


def dprime(
    mated: ArrayLike,
    nonmated: ArrayLike,
    *,
    mated_weights: ArrayLike | None = None,
    nonmated_weights: ArrayLike | None = None,
) -> float:
    """Decidability ``(mean_m - mean_n) / sqrt((var_m + var_n) / 2)``; failures are left out.

    Daugman 2000, "Biometric decision landscapes", with population variances (no n - 1). Signed:
    negative when non-mated pairs score higher. For two normal distributions of equal variance the
    EER is ``Phi(-d' / 2)``.

    Args:
        mated: Similarities ``(M,)``; NaN is ignored.
        nonmated: Similarities ``(N,)``; NaN is ignored.
        mated_weights: One weight a mated pair.
        nonmated_weights: One weight a non-mated pair.

    Returns:
        NaN when a side has no valid score or both variances are zero.

    Raises:
        UsageError: Empty or ill-shaped arrays.
    """
    left, left_variance = _moments(mated, mated_weights, "mated")
    right, right_variance = _moments(nonmated, nonmated_weights, "nonmated")
    spread = math.sqrt((left_variance + right_variance) / 2)
    return (left - right) / spread if spread > 0 else math.nan


def accepted(scores: NDArray[Any], threshold: float) -> NDArray[np.bool_]:
    """``scores >= threshold`` in float64; NaN scores are never accepted."""
    if math.isnan(threshold):
        raise UsageError("a threshold must be a number; got NaN")
    accepted: NDArray[np.bool_] = scores >= np.array([threshold], dtype=np.float64)
    return accepted


def _weighted_threshold(scores: NDArray[Any], target: float, mass: NDArray[np.float64]) -> float:
    if not mass.any():
        return math.nan
    valid = ~np.isnan(scores)
    order = np.argsort(scores[valid])[::-1]
    values, accepted = scores[valid][order], np.cumsum(mass[valid][order])
    # The total continues the same running sum, so that rounding never puts a share above 1.
    total = (accepted[-1] if accepted.size else 0.0) + mass[~valid].sum()
    exceeding = np.flatnonzero(accepted / total > target)
    return _arrays.just_above(values[exceeding[0]]) if exceeding.size else -math.inf


def _moments(value: ArrayLike, weights: ArrayLike | None, name: str) -> tuple[float, float]:
    scores = _arrays.similarities(value, name).astype(np.float64)
    mass = _arrays.weights(weights, len(scores), f"{name}_weights")
    mass, scores = mass[~np.isnan(scores)], scores[~np.isnan(scores)]
    total = mass.sum()
    if total == 0:
        return math.nan, math.nan
    mean = float((mass * scores).sum() / total)
    return mean, float((mass * (scores - mean) ** 2).sum() / total)
