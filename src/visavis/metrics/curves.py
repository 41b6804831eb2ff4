"""ROC and DET curves, equal error rate and area: everything that looks at all thresholds at once.

The conventions on failures, ties and weights are those of `visavis.metrics.verification`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError
from visavis.metrics import _arrays


@dataclass(frozen=True, slots=True, eq=False)
class Roc:
    """The distinct operating points of a set of pairs, from the strictest threshold to the laxest.

    Attributes:
        thresholds: float64 ``(K,)``, descending; the first is ``inf`` (nobody is accepted), the others
            are the distinct similarities.
        fmr: float64 ``(K,)``, not decreasing, from 0.
        fnmr: float64 ``(K,)``, not increasing, from 1. With failures it ends above 0, as fmr ends below 1.
        mated: Total weight of the mated pairs (their number without weights), failures included.
        nonmated: Total weight of the non-mated pairs.
    """

    thresholds: NDArray[np.float64]
    fmr: NDArray[np.float64]
    fnmr: NDArray[np.float64]
    mated: float
    nonmated: float

    @property
    def eer(self) -> float:
        """Equal error rate, see `eer`."""
        gap = self.fmr - self.fnmr
        crossed = np.flatnonzero(gap >= 0)
        if crossed.size == 0 or math.isnan(gap[0]):
            return math.nan
        after = int(crossed[0])
        before = after - 1
        part = -gap[before] / (gap[after] - gap[before])
        return float(self.fmr[before] + part * (self.fmr[after] - self.fmr[before]))

    @property
    def auc(self) -> float:
        """Area under the curve, see `auc`."""
        across = np.append(self.fmr, 1.0)
        up = np.append(1.0 - self.fnmr, 1.0)
        return float((np.diff(across) * (up[1:] + up[:-1])).sum() / 2)

    def fnmr_at(self, fmr: float) -> float:
        """FNMR at the smallest threshold with FMR <= ``fmr``: `fnmr_at_fmr` without a new sort.

        Raises:
            UsageError: A target outside 0..1.
        """
        target = _arrays.rate(fmr, "fmr")
        if self.nonmated == 0:
            return math.nan
        return float(self.fnmr[np.searchsorted(self.fmr, target, side="right") - 1])

    def subsample(self, points: int) -> Roc:
        """At most ``points`` of these operating points, dense at low FMR and at low FNMR.

        Half of them are evenly spaced in log FMR, half in log FNMR; both ends are kept and no point
        is invented. Meant for plots: `eer`, `auc` and `fnmr_at` of the thinned curve are approximate.

        Raises:
            UsageError: Fewer than 4 points asked for.
        """
        if points < 4:
            raise UsageError(f"a curve needs at least 4 points; got points={points}")
        if len(self.thresholds) <= points:
            return self
        half = (points - 2) // 2
        chosen = np.concatenate(
            [
                [0, len(self.fmr) - 1],
                np.searchsorted(self.fmr, np.geomspace(0.5 / max(self.nonmated, 1.0), 1.0, half), side="right") - 1,
                len(self.fnmr)
                - np.searchsorted(self.fnmr[::-1], np.geomspace(0.5 / max(self.mated, 1.0), 1.0, half), side="right"),
            ]
        )
        keep = np.unique(np.clip(chosen, 0, len(self.fmr) - 1))
        return Roc(self.thresholds[keep], self.fmr[keep], self.fnmr[keep], self.mated, self.nonmated)


@dataclass(frozen=True, slots=True, eq=False)
class Det:
    """Operating points on normal-deviate axes; only those with both rates strictly inside 0..1.

    Attributes:
        thresholds: float64 ``(K,)``, descending.
        fmr: float64 ``(K,)``.
        fnmr: float64 ``(K,)``.
        fmr_deviate: float64 ``(K,)``: the standard normal quantile of fmr.
        fnmr_deviate: float64 ``(K,)``: the standard normal quantile of fnmr.
    """

    thresholds: NDArray[np.float64]
    fmr: NDArray[np.float64]
    fnmr: NDArray[np.float64]
    fmr_deviate: NDArray[np.float64]
    fnmr_deviate: NDArray[np.float64]

    @classmethod
    def of(cls, curve: Roc) -> Det:
        """The DET curve of a ROC curve."""
        inside = (curve.fmr > 0) & (curve.fmr < 1) & (curve.fnmr > 0) & (curve.fnmr < 1)
        fmr, fnmr = curve.fmr[inside], curve.fnmr[inside]
        return cls(curve.thresholds[inside], fmr, fnmr, deviates(fmr), deviates(fnmr))


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Pairs sorted once, so that curves for many weightings (a bootstrap) need no further sort.

    Attributes:
        values: Distinct similarities ``(V,)``, descending, failures left out.
        rows: intp ``(P,)``: the row of ``values`` that each pair has; V for a failed pair.
        same: bool ``(P,)``: True for mated pairs.
    """

    values: NDArray[Any]
    rows: NDArray[np.intp]
    same: NDArray[np.bool_]

    @classmethod
    def of(cls, similarities: ArrayLike, same: ArrayLike) -> Ranking:
        """Rank pairs.

        Args:
            similarities: ``(P,)``; NaN for failed pairs.
            same: bool ``(P,)``, True for mated pairs.

        Raises:
            UsageError: Empty or ill-shaped arrays.
        """
        scores = _arrays.similarities(similarities, "similarities")
        mated = _arrays.flags(same, len(scores), "same")
        valid = ~np.isnan(scores)
        ascending, inverse = np.unique(scores[valid], return_inverse=True)
        rows = np.full(len(scores), len(ascending), dtype=np.intp)
        rows[valid] = len(ascending) - 1 - inverse
        return cls(ascending[::-1], rows, mated)

    @property
    def scores(self) -> NDArray[Any]:
        """The similarity of each pair ``(P,)``, NaN where it failed."""
        return np.append(self.values, np.array(np.nan, dtype=self.values.dtype))[self.rows]

    def masses(self, weights: ArrayLike | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mated and non-mated weight of each distinct similarity, float64 ``(V + 1,)``; the last is failures."""
        mass = _arrays.weights(weights, len(self.rows))
        size = len(self.values) + 1
        mated = np.bincount(self.rows, weights=mass * self.same, minlength=size).astype(np.float64, copy=False)
        nonmated = np.bincount(self.rows, weights=mass * ~self.same, minlength=size).astype(np.float64, copy=False)
        return mated, nonmated

    def roc(self, *, weights: ArrayLike | None = None) -> Roc:
        """The ROC curve under pair weights ``(P,)``; rates of a side without weight are NaN.

        Raises:
            UsageError: Weights of another shape, negative or not finite.
        """
        mated, nonmated = self.masses(weights)
        # Totals are the ends of the running sums, so that rounding keeps every rate inside 0..1.
        accepted = np.concatenate([[0.0], np.cumsum(mated)])
        false = np.concatenate([[0.0], np.cumsum(nonmated)])
        mated_total, nonmated_total = float(accepted[-1]), float(false[-1])
        accepted, false = accepted[:-1], false[:-1]
        with np.errstate(invalid="ignore"):
            return Roc(
                np.concatenate([[np.inf], self.values.astype(np.float64)]),
                false / nonmated_total,
                (mated_total - accepted) / mated_total,
                mated_total,
                nonmated_total,
            )


def roc(
    mated: ArrayLike,
    nonmated: ArrayLike,
    *,
    mated_weights: ArrayLike | None = None,
    nonmated_weights: ArrayLike | None = None,
    points: int | None = None,
) -> Roc:
    """All distinct operating points, or at most ``points`` of them.

    Args:
        mated: Similarities ``(M,)``.
        nonmated: Similarities ``(N,)``.
        mated_weights: One weight a mated pair.
        nonmated_weights: One weight a non-mated pair.
        points: Thin the curve for a plot, see `Roc.subsample`; None keeps all.

    Raises:
        UsageError: Empty or ill-shaped arrays.

    Example:
        >>> curve = roc([0.9, 0.4], [0.5, 0.1])
        >>> curve.fmr.tolist(), curve.fnmr.tolist()
        ([0.0, 0.0, 0.5, 0.5, 1.0], [1.0, 0.5, 0.5, 0.0, 0.0])
    """
    left = _arrays.similarities(mated, "mated")
    right = _arrays.similarities(nonmated, "nonmated")
    mass = np.concatenate(
        [
            _arrays.weights(mated_weights, len(left), "mated_weights"),
            _arrays.weights(nonmated_weights, len(right), "nonmated_weights"),
        ]
    )
    ranking = Ranking.of(np.concatenate([left, right]), np.arange(len(mass)) < len(left))
    curve = ranking.roc(weights=mass)
    return curve if points is None else curve.subsample(points)


def det(mated: ArrayLike, nonmated: ArrayLike, *, points: int | None = None) -> Det:
    """The detection error trade-off curve: `roc` on normal-deviate axes.

    Martin et al. 1997, "The DET curve in assessment of detection task performance". Two normal
    score distributions give a straight line, of slope -1 when their variances are equal.

    Args:
        mated: Similarities ``(M,)``.
        nonmated: Similarities ``(N,)``.
        points: Thin the curve for a plot; None keeps all.

    Raises:
        UsageError: Empty or ill-shaped arrays.
    """
    return Det.of(roc(mated, nonmated, points=points))


def eer(
    mated: ArrayLike,
    nonmated: ArrayLike,
    *,
    mated_weights: ArrayLike | None = None,
    nonmated_weights: ArrayLike | None = None,
) -> float:
    """Equal error rate: where FMR and FNMR cross.

    No threshold need give equal rates, so the two adjacent operating points between which
    ``fmr - fnmr`` changes sign are joined by a straight line (in linear rates) and the crossing on
    that line is returned. Where failures keep FNMR above FMR at every threshold it is NaN.

    Args:
        mated: Similarities ``(M,)``.
        nonmated: Similarities ``(N,)``.
        mated_weights: One weight a mated pair.
        nonmated_weights: One weight a non-mated pair.

    Raises:
        UsageError: Empty or ill-shaped arrays.

    Example:
        >>> eer([0.9, 0.8, 0.3], [0.1, 0.2, 0.5])
        0.3333333333333333
    """
    return roc(mated, nonmated, mated_weights=mated_weights, nonmated_weights=nonmated_weights).eer


def auc(
    mated: ArrayLike,
    nonmated: ArrayLike,
    *,
    mated_weights: ArrayLike | None = None,
    nonmated_weights: ArrayLike | None = None,
) -> float:
    """Area under the ROC curve: the probability that a mated pair scores above a non-mated one.

    Ties count one half (Mann-Whitney). A failed pair ranks below every score and ties with other
    failed pairs, which is its place at every threshold.

    Args:
        mated: Similarities ``(M,)``.
        nonmated: Similarities ``(N,)``.
        mated_weights: One weight a mated pair.
        nonmated_weights: One weight a non-mated pair.

    Raises:
        UsageError: Empty or ill-shaped arrays.

    Example:
        >>> auc([0.9, 0.5], [0.5, 0.1])
        0.875
    """
    return roc(mated, nonmated, mated_weights=mated_weights, nonmated_weights=nonmated_weights).auc


def deviates(rates: ArrayLike) -> NDArray[np.float64]:
    """Standard normal quantiles of rates strictly inside 0..1, float64 of the same shape."""
    array = np.asarray(rates, dtype=np.float64)
    distinct, inverse = np.unique(array, return_inverse=True)
    quantile = NormalDist().inv_cdf
    return np.array([quantile(value) for value in distinct.tolist()], dtype=np.float64)[inverse].reshape(array.shape)
