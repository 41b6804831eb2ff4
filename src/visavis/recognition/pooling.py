"""Several templates of one person become one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from visavis.errors import UsageError
from visavis.types import Status, Templates


def pool(templates: Templates) -> Templates:
    """The mean of unit vectors, at unit length.

    Args:
        templates: One or more rows of one person, none failed.

    Returns:
        One row. A single row is returned as it is; otherwise ``space.pooling`` becomes ``mean-N``.

    Raises:
        UsageError: No rows, or a failed one.
    """
    if not len(templates):
        raise UsageError("pooling needs at least one template")
    if not templates.ok.all():
        raise UsageError(f"row {int(np.argmin(templates.ok))} failed; leave failed rows out before pooling")
    if len(templates) == 1:
        return templates
    mean = templates.vectors.astype(np.float64).mean(axis=0)
    length = float(np.linalg.norm(mean))
    if length < 1e-6:
        raise UsageError("these templates cancel each other out; they cannot be of one person")
    return Templates(
        (mean / length)[None],
        templates.norms.mean()[None],
        Status.good(1),
        np.full(1, np.nan),
        replace(templates.space, pooling=f"mean-{len(templates)}"),
        templates.made_by,
    )
