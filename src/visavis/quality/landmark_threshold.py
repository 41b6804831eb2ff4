"""The least quality that is accepted: for a share of frames that may be lost, or for a false rejection rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError


def threshold_for_discard(quality: ArrayLike, *, share: float) -> float:
    """The highest threshold that discards at most a share of the frames; ``quality >= threshold`` is accepted.

    Frames of one quality go together, so fewer may be discarded.

    Args:
        quality: ``(N,)``; NaN is a frame without a face, discarded at any threshold.
        share: In 0..1, below 1.

    Raises:
        UsageError: No frame, a share outside 0..1, or more frames without a face than may be discarded.

    Example:
        >>> threshold_for_discard([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0], share=0.3)
        0.4
    """
    values = _ascending(quality)
    if not 0 <= share < 1:
        raise UsageError(f"the share of frames to discard is at least 0 and below 1; got {share}")
    threshold = float(values[int(share * len(values) + 1e-9)])
    if np.isneginf(threshold):
        raise UsageError(f"{np.isneginf(values).mean():.1%} of the frames show no face; a share of {share:.1%} is less")
    return threshold


def threshold_for_frr(
    quality: ArrayLike, similarities: ArrayLike, *, verifier: float, target: float, least: int = 30
) -> float:
    """The lowest quality threshold at which the verifier rejects at most a share of the accepted mated frames.

    Args:
        quality: ``(N,)`` of frames of known people; NaN is a frame without a face.
        similarities: ``(N,)``, of each frame with its person's reference; NaN is a rejection.
        verifier: The verifier's threshold.
        target: The false rejection rate to reach, in 0..1.
        least: Number of accepted frames on which a rate may rest.

    Raises:
        UsageError: Other lengths, a target outside 0..1, or no threshold reaches the target on enough frames.
    """
    values = np.asarray(quality, np.float64)
    scores = np.asarray(similarities, np.float64)
    if values.shape != scores.shape or values.ndim != 1 or not 0 <= target <= 1:
        raise UsageError(
            f"one quality and one similarity a frame and a target in 0..1 are needed; got {values.shape}, "
            f"{scores.shape} and {target}"
        )
    usable = ~np.isnan(values)
    order = np.argsort(values[usable], kind="stable")
    ascending = values[usable][order]
    rejected = ~(scores[usable][order] >= verifier)
    left = np.arange(len(ascending), 0, -1)
    rate = np.cumsum(rejected[::-1])[::-1] / left
    first = np.append(True, ascending[1:] > ascending[:-1]) if len(ascending) else np.empty(0, np.bool_)
    fitting = np.flatnonzero(first & (rate <= target) & (left >= least))
    if not len(fitting):
        raise UsageError(
            f"no quality threshold brings the false rejection rate to {target:g} on {least} frames or more; allow a "
            "higher rate, or give more frames"
        )
    return float(ascending[fitting[0]])


def _ascending(quality: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(quality, np.float64)
    if values.ndim != 1 or not len(values):
        raise UsageError(f"a threshold is chosen on the qualities (N,) of some frames; got {values.shape}")
    return np.sort(np.where(np.isnan(values), -np.inf, values))
