"""The accuracy that InsightFace's verification script reports for a ``.bin`` file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.protocols.contiguous_folds import contiguous_folds

THRESHOLDS = np.arange(0, 4, 0.01)
"""Squared Euclidean distances of unit vectors; a pair is accepted strictly below."""


@dataclass(frozen=True, slots=True)
class SweepAccuracy:
    """Accuracy by a sweep of thresholds.

    Attributes:
        mean: Mean over ten consecutive folds.
        std: Population standard deviation (n) over them, as printed behind ``+-``.
    """

    mean: float
    std: float


def sweep_accuracy(similarities: NDArray[np.floating], same: NDArray[np.bool_]) -> SweepAccuracy:
    """The rule of ``recognition/arcface_torch/eval/verification.py``.

    The squared distance of unit vectors, ``2 - 2 cos``, is compared with 400 thresholds from 0 to 3.99. For each of ten
    consecutive folds the threshold of highest accuracy on the other nine is taken, the lowest of several. A failed pair
    (NaN), which that script does not know, is rejected.

    Args:
        similarities: Cosines ``(P,)``, P >= 10; NaN for failed pairs.
        same: bool ``(P,)``.
    """
    distance = 2 - 2 * np.nan_to_num(similarities.astype(np.float64), nan=-np.inf)
    folds = contiguous_folds(len(distance))
    # The first threshold that accepts a pair, and what accepting it adds to the right answers.
    place = np.searchsorted(THRESHOLDS, distance, side="right")
    gain = np.where(same, 1, -1)
    accuracies = []
    for fold in range(folds.max() + 1):
        other = folds != fold
        right = np.cumsum(np.bincount(place[other], weights=gain[other], minlength=len(THRESHOLDS) + 1))
        best = int(np.argmax(right[: len(THRESHOLDS)]))
        accuracies.append(float(((place[~other] <= best) == same[~other]).mean()))
    return SweepAccuracy(float(np.mean(accuracies)), float(np.std(accuracies)))
