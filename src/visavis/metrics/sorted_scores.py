"""Thresholds and rates of tens of millions of pairs, from one sort."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.metrics import _arrays


@dataclass(frozen=True, slots=True, eq=False)
class SortedScores:
    """Similarities of both kinds, sorted; the conventions are those of `visavis.metrics.verification`.

    Attributes:
        mated: Ascending, failures left out.
        nonmated: Ascending, failures left out.
        mated_total: Number of mated pairs, failures included.
        nonmated_total: Number of non-mated pairs, failures included.
    """

    mated: NDArray[Any]
    nonmated: NDArray[Any]
    mated_total: int
    nonmated_total: int

    @classmethod
    def of(cls, mated: ArrayLike, nonmated: ArrayLike) -> SortedScores:
        """Sort the similarities of both kinds; NaN is a failed pair.

        Raises:
            UsageError: Empty or ill-shaped arrays.
        """
        left, right = _arrays.similarities(mated, "mated"), _arrays.similarities(nonmated, "nonmated")
        return cls(np.sort(left[~np.isnan(left)]), np.sort(right[~np.isnan(right)]), len(left), len(right))

    def threshold_at_fmr(self, fmr: float) -> float:
        """As `visavis.metrics.threshold_at_fmr`, without a new sort.

        Raises:
            UsageError: A target outside 0..1.
        """
        count = _arrays.allowed(_arrays.rate(fmr, "fmr"), self.nonmated_total)
        if count >= len(self.nonmated):
            return -math.inf
        return _arrays.just_above(self.nonmated[len(self.nonmated) - 1 - count])

    def false_matches(self, threshold: float) -> int:
        """How many non-mated pairs are accepted."""
        return len(self.nonmated) - _below(self.nonmated, threshold)

    def false_nonmatches(self, threshold: float) -> int:
        """How many mated pairs are rejected, failures included."""
        return self.mated_total - len(self.mated) + _below(self.mated, threshold)

    def roc(self, points: int = 200) -> dict[str, list[float]]:
        """``thresholds``, ``fmr`` and ``fnmr`` at evenly spaced logarithms of the FMR, for a plot."""
        counts = np.unique(np.geomspace(1, self.nonmated_total, points).round().astype(np.int64))
        thresholds = list(dict.fromkeys(self.threshold_at_fmr(count / self.nonmated_total) for count in counts))
        return {
            "thresholds": thresholds,
            "fmr": [self.false_matches(threshold) / self.nonmated_total for threshold in thresholds],
            "fnmr": [self.false_nonmatches(threshold) / self.mated_total for threshold in thresholds],
        }


def _below(ascending: NDArray[Any], threshold: float) -> int:
    """How many scores lie below a float64 threshold, compared in float64."""
    with np.errstate(over="ignore"):
        narrow = np.asarray(threshold).astype(ascending.dtype)
    place = int(np.searchsorted(ascending, narrow, side="left"))
    # The threshold may lie strictly between two numbers of the dtype of the scores.
    return int(np.searchsorted(ascending, narrow, side="right")) if float(narrow) < threshold else place
