"""Numbers of settings lie where they make sense."""

from __future__ import annotations

import math
from typing import Any

from visavis.errors import UsageError

TINY = 1e-30
"""The least number that counts as above 0."""
Range = tuple[float, float | None]


def require_ranges(settings: Any, **ranges: Range) -> None:
    """Refuse numbers of a dataclass that are not finite or lie outside their range, ends included.

    Args:
        settings: The dataclass; fields that are None pass.
        ranges: Field -> least and most; None for no most.

    Raises:
        UsageError: The message names the field and its range.
    """
    for name, (least, most) in ranges.items():
        value = getattr(settings, name)
        if value is None:
            continue
        if not math.isfinite(value) or value < least or (most is not None and value > most):
            start = "above 0" if least == TINY else f"{least:g} or more"
            span = f"{start} and finite" if most is None else f"{least:g} to {most:g}"
            raise UsageError(f"{name} is {span}; got {value!r}")
