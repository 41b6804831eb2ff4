"""Error rates of identification: one probe against a gallery.

Conventions (ISO/IEC 19795-1 words), on `visavis.metrics.searches.Searches`:

- A *mated* search is of a person who is enrolled, a *non-mated* one of a person who is not.
- ``FNIR(R, T)``: the share of mated searches in which no mate is among the first R candidates with a similarity of
  at least T. ``TPIR = 1 - FNIR``, which the literature also calls the detection and identification rate (DIR).
- ``FPIR(T)``: the share of non-mated searches that return anybody at threshold T.
- A failed probe returns nobody, and a failed entry is never returned: an error of a mated search, a right answer of a
  non-mated one. Both stay in the denominator: a system cannot gain by refusing difficult pictures.
- Another person's entry of equal similarity ranks before a mate.
- ``weights`` is one weight a search; an integer weight means that many copies. Rates over no searches are NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError
from visavis.metrics import _arrays
from visavis.metrics.intervals import Statistic
from visavis.metrics.searches import Searches
from visavis.metrics.verification import accepted, threshold_at_fmr


def cmc(searches: Searches, ranks: Sequence[int], *, weights: ArrayLike | None = None) -> NDArray[np.float64]:
    """Cumulative match characteristic: the share of mated searches whose best mate has rank r or better.

    Closed set: no threshold is applied, and non-mated searches are ignored.

    Args:
        searches: The searches.
        ranks: Ranks ``(R,)`` from 1.
        weights: One weight a search.

    Returns:
        float64 ``(R,)``.

    Raises:
        UsageError: A rank below 1, or weights that do not fit.
    """
    if any(rank < 1 for rank in ranks):
        raise UsageError(f"ranks count from 1; got {list(ranks)}")
    mass = _arrays.weights(weights, len(searches))
    return np.array([1.0 - _missed(searches, -math.inf, rank, mass) for rank in ranks], dtype=np.float64)


def fnir(searches: Searches, threshold: float, *, rank: int = 1, weights: ArrayLike | None = None) -> float:
    """False negative identification rate ``FNIR(rank, threshold)``.

    Args:
        searches: The searches.
        threshold: Candidates with ``similarity >= threshold`` are returned.
        rank: Length of the candidate list.
        weights: One weight a search.

    Raises:
        UsageError: A rank below 1, a threshold that is NaN, or weights that do not fit.
    """
    if rank < 1:
        raise UsageError(f"a candidate list has at least 1 place; got rank={rank}")
    return _missed(searches, threshold, rank, _arrays.weights(weights, len(searches)))


def fpir(searches: Searches, threshold: float, *, weights: ArrayLike | None = None) -> float:
    """False positive identification rate ``FPIR(threshold)``.

    Args:
        searches: The searches.
        threshold: Candidates with ``similarity >= threshold`` are returned.
        weights: One weight a search.

    Raises:
        UsageError: A threshold that is NaN, or weights that do not fit.
    """
    mass = _arrays.weights(weights, len(searches))[~searches.mated]
    return _arrays.share(mass[accepted(searches.top[~searches.mated], threshold)].sum(), mass.sum())


def threshold_at_fpir(searches: Searches, fpir: float, *, weights: ArrayLike | None = None) -> float:
    """The smallest threshold whose FPIR on these very searches does not exceed ``fpir``: an oracle threshold.

    Args:
        searches: The searches.
        fpir: Target in 0..1.
        weights: One weight a search.

    Returns:
        As `visavis.metrics.threshold_at_fmr`; NaN without a non-mated search.

    Raises:
        UsageError: A target outside 0..1, or weights that do not fit.
    """
    target = _arrays.rate(fpir, "fpir")
    mass = _arrays.weights(weights, len(searches))[~searches.mated]
    if not mass.any():
        return math.nan
    return threshold_at_fmr(searches.top[~searches.mated], target, weights=None if weights is None else mass)


def dir_at_fpir(searches: Searches, *, fpir: float, rank: int = 1, weights: ArrayLike | None = None) -> float:
    """Detection and identification rate: ``TPIR(rank, T)`` at the oracle threshold T of an FPIR.

    Args:
        searches: The searches.
        fpir: Target in 0..1.
        rank: Length of the candidate list.
        weights: One weight a search.

    Returns:
        ``1 - FNIR``; NaN without mated or without non-mated searches.

    Raises:
        UsageError: A target outside 0..1, a rank below 1, or weights that do not fit.
    """
    threshold = threshold_at_fpir(searches, fpir, weights=weights)
    return math.nan if math.isnan(threshold) else 1.0 - fnir(searches, threshold, rank=rank, weights=weights)


def average_precision(searches: Searches) -> NDArray[np.float64]:
    """Average precision of each mated search, by the trapezoid rule of the TinyFace evaluation.

    With mates at ranks ``r_1 < r_2 < ...`` of m enrolled and returned mates it is
    ``1 / m * sum_k (k / r_k + (k - 1) / (r_k - 1)) / 2``, where the second term is 1 for ``r_k = 1`` (the evaluation
    code of Cheng, Zhu, Gong 2018, which is that of Oxford Buildings).

    Args:
        searches: The searches; mates that failed are not counted in m.

    Returns:
        float64 ``(P,)``: 0 for a mated search that returns no mate, NaN for a non-mated one.
    """
    rank = searches.mate_rank.astype(np.float64)
    probe = searches.mate_probe
    number = np.bincount(probe, minlength=len(searches))
    place = np.arange(len(probe)) - (np.cumsum(number) - number)[probe] + 1.0
    before = np.divide(place - 1, rank - 1, out=np.ones_like(rank), where=rank > 1)
    total = np.bincount(probe, weights=(place / rank + before) / 2, minlength=len(searches))
    precision = np.divide(total, number, out=np.zeros(len(searches)), where=number > 0)
    return np.where(searches.mated, precision, np.nan)


def mean_average_precision(searches: Searches, *, weights: ArrayLike | None = None) -> float:
    """Mean of `average_precision` over the mated searches.

    Args:
        searches: The searches.
        weights: One weight a search.

    Raises:
        UsageError: Weights that do not fit.
    """
    mass = _arrays.weights(weights, len(searches))[searches.mated]
    return _arrays.share(float((mass * average_precision(searches)[searches.mated]).sum()), mass.sum())


def cmc_statistic(searches: Searches, rank: int) -> Statistic:
    """`cmc` at one rank as a function of the weights of the searches, for `visavis.metrics.person_bootstrap`."""
    return lambda weights: float(cmc(searches, [rank], weights=weights)[0])


def dir_at_fpir_statistic(searches: Searches, fpir: float, rank: int = 1) -> Statistic:
    """`dir_at_fpir` as a function of the weights; each resample has its own oracle threshold."""
    return lambda weights: dir_at_fpir(searches, fpir=fpir, rank=rank, weights=weights)


def fnir_statistic(searches: Searches, threshold: float, rank: int = 1) -> Statistic:
    """`fnir` as a function of the weights."""
    return lambda weights: fnir(searches, threshold, rank=rank, weights=weights)


def fpir_statistic(searches: Searches, threshold: float) -> Statistic:
    """`fpir` as a function of the weights."""
    return lambda weights: fpir(searches, threshold, weights=weights)


def map_statistic(searches: Searches) -> Statistic:
    """`mean_average_precision` as a function of the weights."""
    precision, mated = average_precision(searches)[searches.mated], searches.mated

    def mean(weights: NDArray[np.float64]) -> float:
        mass = _arrays.weights(weights, len(searches))[mated]
        return _arrays.share(float((mass * precision).sum()), mass.sum())

    return mean


def _missed(searches: Searches, threshold: float, rank: int, mass: NDArray[np.float64]) -> float:
    mated = searches.mated
    found: NDArray[Any] = (searches.rank >= 1) & (searches.rank <= rank) & accepted(searches.mate, threshold)
    return _arrays.share(mass[mated & ~found].sum(), mass[mated].sum())
