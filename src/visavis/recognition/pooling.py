"""Several templates of one person become one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from visavis.errors import UsageError
from visavis.types import Status, Templates, TemplateSpace
from visavis.types.pooled import pooled_directions, quality_weights


def pool(templates: Templates, *, weights: ArrayLike | None = None) -> Templates:
    """The weighted mean of unit vectors, at unit length.

    Args:
        templates: One or more rows of one person, none failed.
        weights: Quality of each picture in 0..100 ``(N,)``; equal ones when None. One that is NaN or below 1 counts 1.

    Returns:
        One row. A single row is returned as it is; otherwise ``space.pooling`` becomes ``mean-N``, or ``quality-N``
        with weights.

    Raises:
        UsageError: No rows, a failed one, or weights of another length.
    """
    if not len(templates):
        raise UsageError("pooling needs at least one template")
    if not templates.ok.all():
        raise UsageError(f"row {int(np.argmin(templates.ok))} failed; leave failed rows out before pooling")
    share = np.ones(len(templates)) if weights is None else np.asarray(weights, np.float64)
    if share.shape != (len(templates),):
        raise UsageError(f"pooling takes a weight a row: {len(templates)}; got shape {share.shape}")
    if len(templates) == 1:
        return templates
    mean = pooled_directions(templates.vectors, quality_weights(share), np.zeros(1, np.int64))
    if np.isnan(mean).any():
        raise UsageError("these templates cancel each other out; they cannot be of one person")
    rule = "mean" if weights is None else "quality"
    return Templates(
        mean,
        templates.norms.mean()[None],
        Status.good(1),
        np.full(1, np.nan),
        replace(templates.space, pooling=f"{rule}-{len(templates)}"),
        templates.made_by,
    )


def pooled_count(space: TemplateSpace) -> int:
    """How many pictures templates of a space were pooled of."""
    return 1 if space.pooling == "none" else int(space.pooling.rpartition("-")[2])
