"""What a landmark forest learns: a quality by rule, or the utility that a recogniser finds in a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError

YAW, PITCH = np.radians(60.0), np.radians(40.0)
"""Radians at which the rule gives nothing more."""
SIZES = (10.0, 50.0)
"""Distance of the eyes in pixels at which the rule gives nothing, and everything, unless told otherwise."""


def rule_quality(
    yaw: ArrayLike, pitch: ArrayLike, eye_distance: ArrayLike, *, sizes: tuple[float, float] = SIZES
) -> NDArray[np.float64]:
    """Quality by rule, where nobody has been recognised yet.

    ``(1 - |yaw| / 60) (1 - |pitch| / 40) (iod - low) / (high - low)`` with the angles in degrees, each factor cut to
    0..1. The constants are a guess; what size a recogniser needs can be measured.

    Args:
        yaw: ``(N,)``, radians.
        pitch: ``(N,)``, radians.
        eye_distance: ``(N,)``, pixels between the eyes of the head if it looked at the camera.
        sizes: That distance at which the rule gives nothing, and everything.

    Returns:
        float64 ``(N,)`` in 0..1.

    Raises:
        UsageError: Sizes that do not ascend.

    Example:
        >>> rule_quality([0, 0, np.pi / 6], [0, np.pi / 9, 0], [50, 50, 30]).round(3).tolist()
        [1.0, 0.5, 0.25]
    """
    low, high = sizes
    if not 0 <= low < high:
        raise UsageError(f"the sizes of the rule ascend from 0; got {low} and {high}")
    sides = np.clip(1 - np.abs(np.asarray(yaw, np.float64)) / YAW, 0, 1)
    heights = np.clip(1 - np.abs(np.asarray(pitch, np.float64)) / PITCH, 0, 1)
    large = np.clip((np.asarray(eye_distance, np.float64) - low) / (high - low), 0, 1)
    quality: NDArray[np.float64] = sides * heights * large
    return quality


def utility_quality(
    vectors: NDArray[np.floating], people: Sequence[str], *, references: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """How well a recogniser takes each picture for its person: the cosine with the mean of the person's references.

    A picture is no reference of its own. The cosines are stretched to 0..1 over all pictures, least to largest.

    Args:
        vectors: ``(N, D)``, unit embeddings.
        people: ``(N,)``, who each picture shows.
        references: bool ``(N,)``, the pictures that are references; all when None.

    Returns:
        float64 ``(N,)`` in 0..1.

    Raises:
        UsageError: A picture without another reference of its person, or all cosines equal.
    """
    known = np.asarray(vectors, np.float64)
    names, who = np.unique(np.asarray(people), return_inverse=True)
    used = np.ones(len(known), np.bool_) if references is None else np.asarray(references, np.bool_)
    if not len(known) == len(who) == len(used):
        raise UsageError(f"one person and one flag a vector are needed; got {len(known)}, {len(who)} and {len(used)}")
    sums, counts = np.zeros((len(names), known.shape[1])), np.bincount(who[used], minlength=len(names))
    np.add.at(sums, who[used], known[used])
    others = sums[who] - known * used[:, None]
    if (counts[who] - used < 1).any():
        alone = names[who[counts[who] - used < 1][0]]
        raise UsageError(f"{alone} has a picture without another one to compare it with; leave such pictures out")
    norms = np.linalg.norm(others, axis=1)
    cosine = np.einsum("nd,nd->n", known, others) / np.maximum(norms, 1e-12)
    least, most = cosine.min(), cosine.max()
    if not most > least:
        raise UsageError("all pictures are equally like their people; nothing can be learnt of them")
    utility: NDArray[np.float64] = (cosine - least) / (most - least)
    return utility
