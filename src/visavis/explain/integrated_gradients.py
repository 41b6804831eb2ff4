"""Integrated gradients: attributions that add up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visavis.errors import UsageError
from visavis.explain.fills import filler
from visavis.explain.probe import check_pairs
from visavis.explain.tensors import path_sums, smoothed
from visavis.types import Crops, Explanation
from visavis.types.protocols import DifferentiableEmbedder

TOLERANCE = 0.02
"""A map is called complete when its sum is this near to what it must sum to, in units of similarity."""
_LEAST = 6


class IntegratedGradientsExplainer:
    """Signed maps that sum to the similarity minus that with a blank face.

    The mean of the gradient along the straight path from a flat colour to the crop, times the way; the other crop
    stays whole. Each map sums to ``cos(f(x), f(other)) - cos(f(b), f(other))``: completeness, Sundararajan et al.
    2017, proposition 1. The integral is a Gauss-Legendre sum; ``complete`` is set where the sum came within
    `TOLERANCE` of its due, so raise the budget where it is not.

    Args:
        embedder: In torch; gradients reach the pixels.
        baseline: ``grey`` or ``mean``.
        smooth: Standard deviation of the Gaussian over the maps in pixels; 0 for none. It keeps their sums.
        budget: The most crops of a pair that go through the network: four, and two a point of the path.

    Raises:
        UsageError: A value that is not accepted.
    """

    name = "explainer/integrated-gradients"
    needs_gradients = True

    def __init__(
        self, embedder: DifferentiableEmbedder, *, baseline: str = "grey", smooth: float = 4.0, budget: int = 36
    ) -> None:
        if budget < _LEAST:
            raise UsageError(f"integrated gradients need a budget of at least {_LEAST} passes a pair; got {budget}")
        self.embedder = embedder
        self.baseline = baseline
        self.smooth = smooth
        self.budget = budget
        self._filler = filler(baseline)

    def explain(self, left: Crops, right: Crops) -> Sequence[Explanation]:
        """One explanation a pair of rows.

        Raises:
            UsageError: Rows that are no pairs.
            ModelError: A crop without an embedding.
            DependencyError: torch is not installed.
        """
        check_pairs(left, right)
        if not len(left):
            return []
        places, weights = np.polynomial.legendre.leggauss((self.budget - 4) // 2)
        found = path_sums(
            self.embedder,
            left,
            right,
            baseline=self._filler,
            points=((places + 1) / 2).tolist(),
            weights=(weights / 2).tolist(),
        )
        missing = found.maps.sum(axis=(2, 3)) - (found.similarities[:, None] - found.blank)
        return [
            Explanation(
                self.name,
                smoothed(maps[0], self.smooth),
                smoothed(maps[1], self.smooth),
                float(similarity),
                complete=bool((np.abs(gap) <= TOLERANCE).all()),
                passes=found.passes,
            )
            for maps, similarity, gap in zip(found.maps, found.similarities, missing, strict=True)
        ]
