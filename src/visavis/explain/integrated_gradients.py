"""Integrated gradients: attributions that add up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.explain.fills import filler
from visavis.explain.probe import check_pairs
from visavis.explain.tensors import explained, path_sums
from visavis.types import Crops, Explanation
from visavis.types.protocols import DifferentiableEmbedder

TOLERANCE = 0.05
"""A map is called complete when its sum is this near to what it must sum to, in units of similarity."""
_LEAST = 6


class IntegratedGradientsExplainer:
    """Signed maps that sum to the similarity minus that with a blank face.

    The mean of the gradient along the straight path from a flat colour to the crop, times the way; the other crop
    stays whole. Each map sums to ``cos(f(x), f(other)) - cos(f(b), f(other))``: completeness, Sundararajan et al.
    2017, proposition 1.

    Networks with normalisation answer to the faintest face: most of the similarity appears within the first third
    of the path. So the points lie denser there, at the cubes of equal steps, and each gradient is weighed by its
    step. ``complete`` is set where both sums came within `TOLERANCE` of their due; raise the budget where it is not.

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
        self, embedder: DifferentiableEmbedder, *, baseline: str = "grey", smooth: float = 4.0, budget: int = 68
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
        points, weights = path_points((self.budget - 4) // 2)
        found = path_sums(
            self.embedder,
            left,
            right,
            baseline=self._filler,
            points=points.tolist(),
            weights=weights.tolist(),
        )
        missing = found.maps.sum(axis=(2, 3)) - (found.similarities[:, None] - found.blank)
        complete = (np.abs(missing) <= TOLERANCE).all(axis=1).tolist()
        return explained(self.name, found, smooth=self.smooth, complete=complete)


def path_points(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points of a path and their weights, float64 ``(count,)`` each: the middles of equal steps, cubed.

    The weights sum to 1 and the rule is exact for a constant gradient.
    """
    ends = np.linspace(0, 1, count + 1)
    return ((ends[1:] + ends[:-1]) / 2) ** 3, np.diff(ends**3)
