"""From raw values to the column of one measure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.quality.scale import Grading
from visavis.types import Quality, Status

POOR = 25.0
"""A score below this is bad enough to be given its reason."""


def quality_column(
    measure: str,
    raw: ArrayLike,
    scale: Grading,
    status: Status,
    *,
    unit: str,
    poor: float = POOR,
    reason: Callable[[int, float], str],
) -> Quality:
    """Raw values with score and reason; failed rows are NaN and have neither.

    Args:
        measure: Name of the measure.
        raw: ``(N,)``; what failed rows hold does not matter.
        scale: From raw to score.
        status: Per row, None or why there is nothing to measure.
        unit: Of the raw value.
        poor: The score below which a face is given its reason.
        reason: From row and raw value to what is wrong.
    """
    values: NDArray[np.float32] = np.where(status.ok, np.asarray(raw, np.float32), np.nan).astype(np.float32)
    score = scale.score(values)
    reasons = tuple(
        reason(row, float(value)) if points < poor else ""
        for row, (value, points) in enumerate(zip(values, score, strict=True))
    )
    return Quality(measure, values, score, status, unit, reasons)
