"""One direction from the templates of one person: the rule that recognition, galleries and their checks share."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError

PoolingRule = Literal["mean", "norm", "quality", "best"]
"""How several templates of one person become one; see `pooling_weights`."""

LEAST_WEIGHT = 1.0
"""Weight of a picture whose quality is lower, or unknown; of 100."""

CANCELLED = 1e-6
"""A mean of unit vectors that is shorter has no direction: they cancel each other out."""


def quality_weights(quality: ArrayLike) -> NDArray[np.float64]:
    """Weights of pictures: their quality in 0..100, at least 1; one that is NaN counts 1.

    Args:
        quality: ``(N,)``.

    Returns:
        float64 ``(N,)``.
    """
    return np.maximum(np.nan_to_num(np.asarray(quality, np.float64), nan=LEAST_WEIGHT), LEAST_WEIGHT)


def pooling_weights(rule: PoolingRule, quality: ArrayLike, norms: ArrayLike) -> NDArray[np.float64]:
    """The weight of each template of one person.

    ``mean``: 1 each. ``norm``: the norm of the raw embedding, so that raw embeddings are averaged. ``quality``: as
    `quality_weights`. ``best``: 1 for the template of the highest quality, 0 for the others.

    Args:
        rule: One of these.
        quality: Fused quality ``(N,)`` in 0..100; NaN where it is not known. Only for ``quality`` and ``best``.
        norms: Norms of the raw embeddings ``(N,)``, above 0. Only for ``norm``.

    Returns:
        float64 ``(N,)``.

    Raises:
        UsageError: Another rule, columns of two lengths, or norms that are not above 0 where they are the weights.

    Example:
        >>> pooling_weights("quality", [80, 20, float("nan")], [9, 9, 9]).tolist()
        [80.0, 20.0, 1.0]
    """
    check_pooling(rule)
    score, length = np.asarray(quality, np.float64), np.asarray(norms, np.float64)
    if score.ndim != 1 or score.shape != length.shape:
        raise UsageError(f"quality and norms have a number a template; got shapes {score.shape} and {length.shape}")
    if rule == "quality":
        return quality_weights(score)
    if rule == "best":
        weights = np.zeros(len(score))
        weights[best_pictures(score)] = 1
        return weights
    if rule == "norm":
        if not (np.isfinite(length) & (length > 0)).all():
            raise UsageError("pooling by norm needs the norm of each raw embedding; use quality or mean without them")
        return length
    return np.ones(len(score))


def check_pooling(rule: str) -> PoolingRule:
    """A checked rule.

    Raises:
        UsageError: Unknown rule.
    """
    if rule not in get_args(PoolingRule):
        raise UsageError(f"templates are pooled by {', '.join(get_args(PoolingRule))}; got {rule!r}")
    return rule  # type: ignore[return-value]


def best_pictures(quality: ArrayLike, *, most: int = 1) -> NDArray[np.intp]:
    """Rows of the pictures of the highest quality, best first; of equal ones the earlier.

    Args:
        quality: ``(N,)``, N at least 1; NaN is below every number.
        most: How many are wanted; all where there are fewer.

    Raises:
        UsageError: No picture, or fewer than one wanted.

    Example:
        >>> best_pictures([20, float("nan"), 80, 80], most=3).tolist()
        [2, 3, 0]
    """
    score = np.nan_to_num(np.asarray(quality, np.float64), nan=-np.inf)
    if score.ndim != 1 or not len(score) or most < 1:
        raise UsageError(f"the best of one or more pictures; got quality of shape {score.shape} and most={most}")
    return np.argsort(-score, kind="stable")[:most]


def pooled_directions(
    vectors: NDArray[np.floating], weights: NDArray[np.floating], starts: NDArray[np.integer]
) -> NDArray[np.float32]:
    """The weighted mean of each group of unit vectors, at unit length.

    Args:
        vectors: Unit vectors ``(N, D)``, those of a group one after the other.
        weights: Not negative, one of each group above 0, ``(N,)``.
        starts: First row of each group ``(G,)``, increasing from 0.

    Returns:
        float32 ``(G, D)``; NaN where the vectors of a group cancel each other out.
    """
    sums = np.add.reduceat(vectors * np.asarray(weights, np.float64)[:, None], starts, axis=0)
    means = sums / np.add.reduceat(np.asarray(weights, np.float64), starts)[:, None]
    lengths = np.linalg.norm(means, axis=1)
    lengths[lengths < CANCELLED] = np.nan
    return np.asarray(means / lengths[:, None], np.float32)
