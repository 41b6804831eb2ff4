"""What a quality gate before the verifier gains and costs: false rejections, frames lost, people lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError
from visavis.metrics import _arrays
from visavis.metrics.verification import accepted


@dataclass(frozen=True, slots=True)
class Screened:
    """A gate's effect on mated comparisons, at one verifier threshold.

    Attributes:
        discarded: Share of the frames that the gate discards.
        before: False rejection rate without the gate.
        after: Of the frames that pass; NaN when none does.
        people: Number of people.
        lost: Number of people of whom no frame passes: they are not acquired.
    """

    discarded: float
    before: float
    after: float
    people: int
    lost: int


def screened(similarities: ArrayLike, people: ArrayLike, passed: ArrayLike, *, threshold: float) -> Screened:
    """False rejections before and after a gate, at the same threshold, with what the gate loses.

    A cut of the rate says nothing without the share that was discarded for it and the people who were lost.

    Args:
        similarities: ``(N,)``, of each frame with its person's reference; NaN is a rejection.
        people: ``(N,)``, whose frame it is.
        passed: bool ``(N,)``, whether the gate lets it pass.
        threshold: Of the verifier.

    Raises:
        UsageError: Other lengths, or no frame.

    Example:
        >>> screened([0.9, 0.1, 0.8, 0.2], [1, 1, 2, 3], [True, False, True, False], threshold=0.5)
        Screened(discarded=0.5, before=0.5, after=0.0, people=3, lost=1)
    """
    scores = _arrays.similarities(similarities, "similarities")
    whose = np.asarray(people)
    if whose.shape != scores.shape or not len(scores):
        raise UsageError(f"one person a frame and one frame or more are needed; got {whose.shape} and {scores.shape}")
    kept = _arrays.flags(passed, len(scores), "passed")
    rejected: NDArray[np.bool_] = ~accepted(scores, threshold)
    everybody = len(np.unique(whose))
    return Screened(
        discarded=float((~kept).mean()),
        before=float(rejected.mean()),
        after=float(rejected[kept].mean()) if kept.any() else float("nan"),
        people=everybody,
        lost=everybody - len(np.unique(whose[kept])),
    )
