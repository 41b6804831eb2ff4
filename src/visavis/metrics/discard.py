"""Error versus discard: how fast errors go away when the comparisons of lowest quality are left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError
from visavis.metrics import _arrays
from visavis.metrics.intervals import Statistic
from visavis.metrics.verification import accepted, threshold_at_fmr

LIMIT = 0.2
"""The share up to which a curve is summed up by default."""


@dataclass(frozen=True, slots=True)
class DiscardCurve:
    """FNMR over the share of mated pairs that were discarded, lowest quality first.

    A step function: pairs of one quality go together, so a share between two steps is the step below it.

    Attributes:
        discarded: float64 ``(K,)``, ascending from 0: share of mated pairs that are gone.
        fnmr: float64 ``(K,)``: share of the remaining mated pairs that are rejected.
        quality: float64 ``(K,)``: the least quality that remains; -inf while failed pairs do.
    """

    discarded: NDArray[np.float64]
    fnmr: NDArray[np.float64]
    quality: NDArray[np.float64]

    def at(self, share: float) -> float:
        """FNMR after at most this share of mated pairs was discarded.

        Raises:
            UsageError: Not in 0..1.
        """
        wanted = _arrays.rate(share, "share")
        if not len(self.discarded):
            return float("nan")
        return float(self.fnmr[np.searchsorted(self.discarded, wanted + 1e-12, side="right") - 1])

    def area(self, limit: float = LIMIT) -> float:
        """Mean FNMR over the shares 0..limit: the partial area below the curve, divided by the limit.

        What others call pAUC is ``limit * area(limit)``, the steps summed up as they are.

        Raises:
            UsageError: Not above 0 and at most 1.
        """
        end = _arrays.rate(limit, "limit")
        if end == 0:
            raise UsageError("the limit of a partial area lies above 0; got 0")
        if not len(self.discarded):
            return float("nan")
        edges = np.minimum(np.append(self.discarded, 1.0), end)
        return float((np.diff(edges) * self.fnmr).sum() / end)


def pair_quality(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """The quality of a pair: the lower of its two faces; -inf where one has none, a failed face.

    Args:
        first: ``(P,)``, higher is better; NaN for a failed face.
        second: ``(P,)``.

    Raises:
        UsageError: Two lengths.

    Example:
        >>> pair_quality([50, 80, float("nan")], [60, 20, 90]).tolist()
        [50.0, 20.0, -inf]
    """
    left, right = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if left.shape != right.shape or left.ndim != 1:
        raise UsageError(f"one quality a face of each pair is needed; got shapes {left.shape} and {right.shape}")
    return np.where(np.isnan(left) | np.isnan(right), -np.inf, np.minimum(left, right))


@dataclass(frozen=True, slots=True)
class Discarding:
    """Mated pairs sorted by quality once, so that every resample's curve is a few sums.

    Attributes:
        order: intp ``(M,)``: rows of the mated pairs among all pairs, lowest quality first.
        rejected: float64 ``(M,)``: 1 where the pair, in that order, lies below the threshold.
        starts: intp ``(K,)``: where each quality begins in that order.
        levels: float64 ``(K,)``: the qualities, ascending.
    """

    order: NDArray[np.intp]
    rejected: NDArray[np.float64]
    starts: NDArray[np.intp]
    levels: NDArray[np.float64]

    @classmethod
    def of(cls, similarities: ArrayLike, same: ArrayLike, quality: ArrayLike, *, threshold: float) -> Discarding:
        """Sort the mated pairs of a list.

        Args:
            similarities: ``(P,)``; NaN for a failed pair, which is rejected.
            same: bool ``(P,)``, True for mated pairs; the others only set the threshold, beforehand.
            quality: ``(P,)`` of `pair_quality`; NaN counts as -inf.
            threshold: Fixed once, on all pairs: see `visavis.metrics.threshold_at_fmr`.

        Raises:
            UsageError: Ill-shaped arrays, no mated pair, or a threshold that is NaN.
        """
        scores = _arrays.similarities(similarities, "similarities")
        mated = np.flatnonzero(_arrays.flags(same, len(scores), "same"))
        value = np.asarray(quality, np.float64)
        if value.shape != scores.shape:
            raise UsageError(f"one quality a pair is needed ({len(scores)}); got shape {value.shape}")
        if not len(mated):
            raise UsageError("an error-versus-discard curve is of mated pairs; there is none")
        value = np.where(np.isnan(value), -np.inf, value)
        order = mated[np.argsort(value[mated], kind="stable")]
        levels, starts = np.unique(value[order], return_index=True)
        return cls(order, (~accepted(scores[order], threshold)).astype(np.float64), starts, levels)

    def curve(self, weights: NDArray[np.float64] | None = None) -> DiscardCurve:
        """The curve of weighted pairs ``(P,)``; of all mated pairs once each when None."""
        mass = np.ones(len(self.order)) if weights is None else np.asarray(weights, np.float64)[self.order]
        kept = np.cumsum(mass[::-1])[::-1]
        wrong = np.cumsum((mass * self.rejected)[::-1])[::-1]
        remaining, errors = kept[self.starts], wrong[self.starts]
        some = remaining > 0
        total = remaining[0]
        if total <= 0:
            nothing = np.empty(0)
            return DiscardCurve(nothing, nothing, nothing)
        return DiscardCurve(1 - remaining[some] / total, errors[some] / remaining[some], self.levels[some])

    def at_statistic(self, share: float) -> Statistic:
        """`DiscardCurve.at` as a function of the pair weights, for the bootstrap of people."""
        return lambda weights: self.curve(weights).at(share)

    def area_statistic(self, limit: float = LIMIT) -> Statistic:
        """`DiscardCurve.area` as a function of the pair weights."""
        return lambda weights: self.curve(weights).area(limit)


def discard_curve(similarities: ArrayLike, same: ArrayLike, quality: ArrayLike, *, threshold: float) -> DiscardCurve:
    """The error-versus-discard curve of a pair list.

    Grother and Tabassi 2007, "Performance of biometric quality measures": the threshold is fixed once, on the whole
    set; then the mated pairs of the lowest quality are left out, more and more of them, and the FNMR of the others is
    read. A quality that says nothing leaves the FNMR where it was: discarding at random is a flat line on average.

    Args:
        similarities: ``(P,)``; NaN for a failed pair, which is rejected.
        same: bool ``(P,)``, True for mated pairs.
        quality: ``(P,)`` of `pair_quality`; pairs of one quality are discarded together.
        threshold: Pairs with ``similarity >= threshold`` are accepted.

    Raises:
        UsageError: Ill-shaped arrays, no mated pair, or a threshold that is NaN.

    Example:
        >>> curve = discard_curve([0.1, 0.8, 0.9, 0.2], [1, 1, 1, 0], [5, 20, 20, 50], threshold=0.5)
        >>> curve.at(0.0), curve.at(0.4)
        (0.3333333333333333, 0.0)
    """
    return Discarding.of(similarities, same, quality, threshold=threshold).curve()


def edc_fixed(similarities: ArrayLike, same: ArrayLike, quality: ArrayLike, *, fmr: float) -> DiscardCurve:
    """`discard_curve` at the threshold that has this FMR on all non-mated pairs: the convention of a fixed threshold.

    Args:
        similarities: ``(P,)``; NaN for a failed pair, which is rejected.
        same: bool ``(P,)``, True for mated pairs.
        quality: ``(P,)`` of `pair_quality`.
        fmr: False match rate of the threshold, before anything is discarded.

    Raises:
        UsageError: Ill-shaped arrays, or no mated or no non-mated pair.
    """
    scores = _arrays.similarities(similarities, "similarities")
    mated = _arrays.flags(same, len(scores), "same")
    if mated.all():
        raise UsageError("the threshold of a curve is fixed on non-mated pairs; there is none")
    return discard_curve(scores, mated, quality, threshold=threshold_at_fmr(scores[~mated], fmr))
