"""Fit a verification calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from visavis.calibration.table import LEAST_EVENTS, Calibration, Point
from visavis.errors import UsageError

_PER_DECADE = 10


def fit_verification(
    nonmated: ArrayLike,
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
    exceed the rate. The grid has ten points a decade, from 0.1 to the least rate with 30 impostor pairs.

    Args:
        nonmated: Similarities of pairs of two persons ``(N,)``.
        mated: Similarities of pairs of one person, for the false non-match rate beside each point.
        name: Name of the calibration.
        space: Fingerprint of the template space.
        population: Whom the impostors are.
        caution: What a reader must know.
        provenance: Where the scores come from.

    Raises:
        UsageError: Too few impostor pairs for two points.
    """
    impostors = np.sort(np.asarray(nonmated, dtype=np.float32))
    count = impostors.size
    if not np.isfinite(impostors).all():
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
        threshold = float(np.nextafter(impostors[count - allowed - 1], np.float32(2)))
        events = int(count - np.searchsorted(impostors, np.float32(threshold), side="left"))
        if points and threshold <= points[-1].threshold:
            continue
        missed = None if genuine is None else float((~(genuine >= threshold)).mean())
        points.append(Point(fmr=target, threshold=threshold, events=events, fnmr=missed))
    record = {**provenance, "nonmated_pairs": int(count), "mated_pairs": 0 if genuine is None else int(genuine.size)}
    return Calibration(name, "verification", space, population, tuple(points), caution, record)
