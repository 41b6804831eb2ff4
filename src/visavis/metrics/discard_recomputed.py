"""Error versus discard with a threshold that is set anew at every share: the other convention, `edc_recomputed`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError
from visavis.metrics import _arrays
from visavis.metrics.intervals import Statistic

STEP = 0.05
"""Shares lie this far apart: 0, 0.05, ..., 0.95, as in the evaluation script of CR-FIQA (Boutros et al. 2023)."""


@dataclass(frozen=True, slots=True)
class RecomputedCurve:
    """FNMR over the share of pairs, mated and non-mated alike, that were discarded, lowest quality first.

    Attributes:
        discarded: float64 ``(K,)``: the shares asked for, from 0.
        fnmr: float64 ``(K,)``: of the mated pairs that remain; NaN where no mated or no non-mated pair does.
        threshold: float64 ``(K,)``: where the non-mated pairs that remain have the wanted FMR.
    """

    discarded: NDArray[np.float64]
    fnmr: NDArray[np.float64]
    threshold: NDArray[np.float64]

    def area(self, limit: float) -> float:
        """Mean FNMR over the shares 0..limit by the trapezoid rule, FNMR straight between two shares.

        Raises:
            UsageError: Not above 0, or beyond the last share of the curve.
        """
        end = _arrays.rate(limit, "limit")
        if end == 0 or end > self.discarded[-1] + 1e-9:
            raise UsageError(f"the limit of a partial area lies above 0 and within {self.discarded[-1]:g}; got {end:g}")
        shares = np.append(self.discarded[self.discarded < end - 1e-9], end)
        values = np.interp(shares, self.discarded, self.fnmr)
        return float(((values[1:] + values[:-1]) / 2 * np.diff(shares)).sum() / end)


@dataclass(frozen=True, slots=True)
class Recomputing:
    """Pairs sorted by quality and by similarity once, so that every resample's curve is a few sums.

    Attributes:
        order: intp ``(P,)``: all pairs, lowest quality first.
        starts: intp ``(G,)``: where each quality begins in that order.
        rank: intp ``(P,)``: the place of each pair in that order.
        same: bool ``(P,)``: mated pairs.
        scores: float ``(P,)``: similarities; NaN for failed pairs.
        nonmated: intp ``(Q,)``: non-mated pairs with a similarity, highest similarity first.
        rate: The FMR at which the threshold is set at every share.
    """

    order: NDArray[np.intp]
    starts: NDArray[np.intp]
    rank: NDArray[np.intp]
    same: NDArray[np.bool_]
    scores: NDArray[np.floating]
    nonmated: NDArray[np.intp]
    rate: float

    @classmethod
    def of(cls, similarities: ArrayLike, same: ArrayLike, quality: ArrayLike, *, fmr: float) -> Recomputing:
        """Sort the pairs of a list.

        Args:
            similarities: ``(P,)``; NaN for a failed pair, which is rejected.
            same: bool ``(P,)``, True for mated pairs.
            quality: ``(P,)`` of `visavis.metrics.pair_quality`; NaN counts as -inf.
            fmr: At every share, the threshold is the smallest whose FMR on the remaining pairs does not exceed it.

        Raises:
            UsageError: Ill-shaped arrays, or no mated or no non-mated pair.
        """
        scores = _arrays.similarities(similarities, "similarities")
        mated = _arrays.flags(same, len(scores), "same")
        value = np.asarray(quality, np.float64)
        if value.shape != scores.shape:
            raise UsageError(f"one quality a pair is needed ({len(scores)}); got shape {value.shape}")
        if not mated.any() or mated.all():
            raise UsageError("recomputed thresholds need mated and non-mated pairs; there is one kind only")
        value = np.where(np.isnan(value), -np.inf, value)
        order = np.argsort(value, kind="stable")
        rank = np.empty(len(order), np.intp)
        rank[order] = np.arange(len(order))
        starts = np.unique(value[order], return_index=True)[1]
        others = np.flatnonzero(~mated & ~np.isnan(scores))
        others = others[np.argsort(-scores[others], kind="stable")]
        return cls(order, starts, rank, mated, scores, others, _arrays.rate(fmr, "fmr"))

    def curve(self, weights: NDArray[np.float64] | None = None, *, upto: float = 0.95) -> RecomputedCurve:
        """The curve of weighted pairs ``(P,)`` at the shares 0, 0.05, ... up to ``upto``.

        At each share the pairs of the lowest quality go, whole qualities at a time and no more of them than the share.
        """
        mass = np.ones(len(self.order)) if weights is None else np.asarray(weights, np.float64)
        remaining = np.cumsum(mass[self.order][::-1])[::-1][self.starts]
        shares: NDArray[np.float64] = np.arange(round(upto / STEP) + 1) * np.float64(STEP)
        if not len(remaining) or remaining[0] <= 0:
            nothing = np.full(len(shares), math.nan)
            return RecomputedCurve(shares, nothing, nothing)
        gone = 1 - remaining / remaining[0]
        steps = np.searchsorted(gone, shares + 1e-12, side="right") - 1
        found = {int(step): self._kept(mass, int(self.starts[step])) for step in np.unique(steps)}
        values = np.array([found[int(step)] for step in steps])
        return RecomputedCurve(shares, values[:, 0], values[:, 1])

    def _kept(self, mass: NDArray[np.float64], start: int) -> tuple[float, float]:
        """FNMR and threshold of the pairs from a place of the order on."""
        kept = np.where(self.rank >= start, mass, 0.0)
        total, mated = kept[~self.same].sum(), kept[self.same].sum()
        if total <= 0 or mated <= 0:
            return math.nan, math.nan
        accepted = np.cumsum(kept[self.nonmated]) / total
        exceeding = np.flatnonzero(accepted > self.rate + 1e-12)
        threshold = _arrays.just_above(self.scores[self.nonmated[exceeding[0]]]) if len(exceeding) else -math.inf
        rejected = self.same & ~(self.scores >= threshold)
        return float(kept[rejected].sum() / mated), threshold

    def area_statistic(self, limit: float) -> Statistic:
        """`RecomputedCurve.area` as a function of the pair weights, for the bootstrap of people."""
        upto = math.ceil(limit / STEP - 1e-9) * STEP
        return lambda weights: self.curve(weights, upto=upto).area(limit)


def edc_recomputed(similarities: ArrayLike, same: ArrayLike, quality: ArrayLike, *, fmr: float) -> RecomputedCurve:
    """The error-versus-discard curve with a threshold of its own at every share.

    The convention of the Fraunhofer script family (CR-FIQA and its successors): pairs of both kinds are discarded, and
    at each share the threshold is set anew at ``fmr`` on the pairs that remain. A quality may thus gain by leaving easy
    impostors, which `edc_fixed` does not reward.

    Args:
        similarities: ``(P,)``; NaN for a failed pair, which is rejected.
        same: bool ``(P,)``, True for mated pairs.
        quality: ``(P,)`` of `visavis.metrics.pair_quality`.
        fmr: False match rate of every threshold.

    Raises:
        UsageError: Ill-shaped arrays, or no mated or no non-mated pair.

    Example:
        >>> curve = edc_recomputed([0.2, 0.8, 0.9, 0.3], [1, 1, 0, 0], [2, 3, 1, 4], fmr=0)
        >>> curve.fnmr[[0, 5, 10]].tolist()
        [1.0, 0.5, 0.0]
    """
    return Recomputing.of(similarities, same, quality, fmr=fmr).curve()
