"""Several templates of one person become one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from visavis.errors import UsageError
from visavis.types import Status, Templates, TemplateSpace
from visavis.types.pooled import PoolingRule, best_pictures, check_pooling, pooled_directions, pooling_weights


def pool(templates: Templates, *, by: PoolingRule = "mean", quality: ArrayLike | None = None) -> Templates:
    """The weighted mean of unit vectors, at unit length; or the best one alone.

    Args:
        templates: One or more rows of one person, none failed.
        by: The rule; see `visavis.types.pooled.pooling_weights`.
        quality: Fused quality of each picture in 0..100 ``(N,)``, NaN where it is not known; ``templates.quality``
            when None.

    Returns:
        One row. A single row, and that of ``best``, is as it was; otherwise ``space.pooling`` becomes the rule and the
        number of rows, for example ``quality-3``.

    Raises:
        UsageError: No rows, a failed one, quality of another length, or a rule that is unknown.
    """
    check_pooling(by)
    if not len(templates):
        raise UsageError("pooling needs at least one template")
    if not templates.ok.all():
        raise UsageError(f"row {int(np.argmin(templates.ok))} failed; leave failed rows out before pooling")
    score = templates.quality if quality is None else np.asarray(quality, np.float64)
    if score.shape != (len(templates),):
        raise UsageError(f"pooling takes a quality a row: {len(templates)}; got shape {score.shape}")
    if len(templates) == 1:
        return templates
    if by == "best":
        return templates[best_pictures(score)]
    weights = pooling_weights(by, score, templates.norms)
    mean = pooled_directions(templates.vectors, weights, np.zeros(1, np.int64))
    if np.isnan(mean).any():
        raise UsageError("these templates cancel each other out; they cannot be of one person")
    return Templates(
        mean,
        templates.norms.mean()[None],
        Status.good(1),
        np.full(1, np.nan),
        replace(templates.space, pooling=f"{by}-{len(templates)}"),
        templates.made_by,
    )


def pooled_count(space: TemplateSpace) -> int:
    """How many pictures templates of a space were pooled of."""
    return 1 if space.pooling == "none" else int(space.pooling.rpartition("-")[2])
