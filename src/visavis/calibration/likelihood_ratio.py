"""From a similarity to a likelihood ratio: how much more often one person than two persons gives it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.calibration.impostors import BINS, Impostors
from visavis.errors import UsageError

LEAST_PAIRS = 30
"""Pairs of each kind that every step of the curve rests on: no ratio is claimed beyond what they show."""

_WIDTH = 0.02
"""Least width of a step in similarity."""

Knots = tuple[tuple[float, float], ...]


def fit_log10_lr(impostors: Impostors, mated: ArrayLike) -> Knots:
    """A rising curve from similarity to log10 likelihood ratio.

    The similarities are cut into the finest steps, of 0.02 or more, that hold at least 30 mated and 30 non-mated
    pairs each; the logarithms of the ratios of their shares are made monotone by pooling adjacent violators (Ayer et
    al. 1955; for forensic scores Brümmer and du Preez 2006); between the steps' centres the curve is linear, beyond
    the last it is flat. The steps regularise it: neither end can claim more than 30 pairs show.

    Args:
        impostors: Pairs of two persons.
        mated: Similarities of pairs of one person ``(N,)``, finite.

    Returns:
        ``(similarity, log10 ratio)``, both rising; at least two.

    Raises:
        UsageError: Fewer than 60 mated or non-mated pairs.
    """
    genuine = _histogram(mated)
    if min(genuine.sum(), impostors.total) < 2 * LEAST_PAIRS:
        raise UsageError(
            f"a likelihood ratio needs at least {2 * LEAST_PAIRS} mated and non-mated pairs; got {genuine.sum()} and "
            f"{impostors.total}"
        )
    centres = (np.arange(BINS) + 0.5) * (2 / BINS) - 1
    steps = _steps(genuine, impostors.histogram)
    middle, value, weight = [], [], []
    for start, stop in steps:
        one, two = genuine[start:stop], impostors.histogram[start:stop]
        share_one, share_two = one.sum() / genuine.sum(), two.sum() / impostors.total
        density = one / genuine.sum() + two / impostors.total
        middle.append(float((centres[start:stop] * density).sum() / density.sum()))
        value.append(math.log10(share_one / share_two))
        # The logarithm of a ratio of counts varies by about 1 / a + 1 / b.
        weight.append(1 / (1 / one.sum() + 1 / two.sum()))
    rising = _monotone(np.array(value), np.array(weight))
    return tuple(zip(middle, rising.tolist(), strict=True))


def log10_lr(knots: Knots, similarity: float) -> float:
    """The curve's value."""
    return float(np.interp(similarity, [x for x, _ in knots], [y for _, y in knots]))


def cllr(knots: Knots, mated: ArrayLike, nonmated: ArrayLike) -> float:
    """Log-likelihood-ratio cost in bits: 0 for perfect, 1 for no information (Brümmer and du Preez 2006, eq. 3)."""
    x, y = np.array(knots).T
    one = np.interp(np.asarray(mated, np.float64), x, y) * math.log(10)
    two = np.interp(np.asarray(nonmated, np.float64), x, y) * math.log(10)
    return float((np.logaddexp(0, -one).mean() + np.logaddexp(0, two).mean()) / (2 * math.log(2)))


def _histogram(scores: ArrayLike) -> NDArray[np.int64]:
    values = np.asarray(scores, np.float64).ravel()
    if not np.isfinite(values).all():
        raise UsageError("leave failed pairs (NaN) out of the mated pairs of a calibration")
    return np.bincount(np.clip(((values + 1) * (BINS / 2)).astype(np.int64), 0, BINS - 1), minlength=BINS)


def _steps(one: NDArray[np.int64], two: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Runs of bins with enough pairs of both kinds; what is left over joins the last."""
    steps: list[tuple[int, int]] = []
    start, a, b = 0, 0, 0
    for row in range(len(one)):
        a, b = a + int(one[row]), b + int(two[row])
        wide = (row + 1 - start) * (2 / BINS) >= _WIDTH
        if wide and a >= LEAST_PAIRS and b >= LEAST_PAIRS:
            steps.append((start, row + 1))
            start, a, b = row + 1, 0, 0
    if len(steps) < 2:
        raise UsageError(
            "mated and non-mated similarities hardly overlap: there are no two steps that hold 30 pairs of each kind; "
            "no likelihood ratio can be fitted"
        )
    steps[-1] = (steps[-1][0], len(one))
    return steps


def _monotone(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The closest rising sequence in weighted least squares, by pooling adjacent violators."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        blocks.append((value, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (a, wa, na), (b, wb, nb) = blocks[-2:]
            blocks[-2:] = [((a * wa + b * wb) / (wa + wb), wa + wb, na + nb)]
    return np.repeat([value for value, _, _ in blocks], [count for _, _, count in blocks])
