"""Results in JSON's types."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from visavis.errors import UsageError
from visavis.metrics.intervals import Interval


def plain(value: Any) -> Any:
    """The value in JSON's types; numbers that are not finite become None.

    Raises:
        UsageError: It holds something that JSON cannot.
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    raise UsageError(f"a result holds JSON values; got {type(value).__name__}")


def ends(interval: Interval) -> tuple[float, float] | None:
    """Both ends of an interval; None where no resample gave a number."""
    return None if math.isnan(interval.low) else (interval.low, interval.high)
