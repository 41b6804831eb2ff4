"""Fit a verification calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.calibration.impostors import Impostors
from visavis.calibration.likelihood_ratio import LEAST_PAIRS, Knots, fit_log10_lr
from visavis.calibration.points import Point
from visavis.calibration.prediction import relative_error
from visavis.calibration.table import LEAST_EVENTS, Calibration
from visavis.errors import UsageError

_PER_DECADE = 10


def fit_verification(
    nonmated: ArrayLike | Impostors,
    mated: ArrayLike | None = None,
    *,
    name: str,
    space: str,
    population: str,
    caution: str,
    provenance: dict[str, Any],
) -> Calibration:
    """Thresholds on a logarithmic grid of false match rates.

    The threshold of a rate is the smallest similarity whose share of impostors at or above it does not
    exceed the rate. The grid has ten points a decade, from 0.1 to the least rate with 30 impostor pairs of distinct
    people above the threshold.

    Args:
        nonmated: Pairs of two persons; `Impostors` for intervals over people and a likelihood ratio. Bare similarities
            ``(N,)`` give thresholds alone.
        mated: Similarities of pairs of one person, for the false non-match rate beside each point and the likelihood
            ratio.
        name: Name of the calibration.
        space: Fingerprint of the template space.
        population: Whom the impostors are.
        caution: What a reader must know.
        provenance: Where the scores come from; why there is no likelihood ratio is added as ``no_llr``.

    Raises:
        UsageError: Too few impostor pairs for two points, or similarities that are not finite.
    """
    pairs = nonmated if isinstance(nonmated, Impostors) else None
    scores = np.sort(np.asarray(nonmated, dtype=np.float32))[::-1] if pairs is None else pairs.scores
    count = scores.size if pairs is None else pairs.total
    if not np.isfinite(scores).all():
        raise UsageError("leave failed pairs (NaN) out of the impostors of a calibration, and count them apart")
    genuine = None if mated is None or not np.size(mated) else np.asarray(mated, dtype=np.float64)
    if count < 10 * LEAST_EVENTS * 2:
        raise UsageError(f"a calibration needs at least {20 * LEAST_EVENTS} impostor pairs; got {count}")
    points: list[Point] = []
    for step in range(_PER_DECADE * 12):
        target = 0.1 * 10 ** (-step / _PER_DECADE)
        allowed = int(np.floor(target * count + 1e-9))
        if allowed < LEAST_EVENTS:
            break
        threshold = float(np.nextafter(scores[allowed], np.float32(2)))
        events = int(np.searchsorted(-scores, -np.float32(threshold), side="right"))
        if points and threshold <= points[-1].threshold:
            continue
        distinct = None if pairs is None else pairs.person_pairs(events)
        if distinct is not None and distinct < LEAST_EVENTS:
            break
        missed = None if genuine is None else float((~(genuine >= threshold)).mean())
        error = None if pairs is None else relative_error(pairs, events)
        points.append(Point(target, threshold, events, missed, error, distinct))
    if len(points) < 2:
        raise UsageError(
            f"{count} impostor pairs have too few of distinct people for two operating points; take more people"
        )
    record = {**provenance, "nonmated_pairs": int(count), "mated_pairs": 0 if genuine is None else int(genuine.size)}
    people = 0 if pairs is None else pairs.people
    curve, why_not = ((), "") if pairs is None or genuine is None else _curve(pairs, genuine)
    if why_not:
        record["no_llr"] = why_not
    return Calibration(
        name, "verification", space, population, tuple(points), caution, record, people=people, llr=curve
    )


def _curve(pairs: Impostors, genuine: NDArray[np.float64]) -> tuple[Knots, str]:
    """The likelihood ratio, or none and why: the thresholds hold without it."""
    if genuine.size < 2 * LEAST_PAIRS:
        return (), f"{genuine.size} mated pairs are too few"
    try:
        return fit_log10_lr(pairs, genuine), ""
    except UsageError as error:
        if not np.isfinite(genuine).all():
            raise
        return (), error.message
