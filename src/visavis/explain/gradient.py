"""Gradients times input: the first-order effect of every pixel."""

from __future__ import annotations

from collections.abc import Sequence

from visavis.errors import UsageError
from visavis.explain.fills import filler
from visavis.explain.probe import check_pairs
from visavis.explain.tensors import explained, path_sums
from visavis.types import Crops, Explanation
from visavis.types.protocols import DifferentiableEmbedder

PASSES = 6


class GradientExplainer:
    """Signed maps from one backward pass: gradient times distance from a flat colour.

    ``(x - b) * d cos(f(x), f(other)) / dx``, summed over the colours. Shrikumar et al. 2016 with the baseline 0; here
    a pixel is as far from zero as it is from the baseline.

    Args:
        embedder: In torch; gradients reach the pixels.
        baseline: ``grey`` or ``mean``.
        smooth: Standard deviation of the Gaussian over the maps in pixels; 0 for none. It keeps their sums.
        budget: The most crops of a pair that go through the network; 6 are needed.

    Raises:
        UsageError: A value that is not accepted.
    """

    name = "explainer/gradient"
    needs_gradients = True

    def __init__(
        self, embedder: DifferentiableEmbedder, *, baseline: str = "grey", smooth: float = 4.0, budget: int = PASSES
    ) -> None:
        if budget < PASSES:
            raise UsageError(f"gradients of a pair need a budget of at least {PASSES} passes; got {budget}")
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
        found = path_sums(self.embedder, left, right, baseline=self._filler, points=(1.0,), weights=(1.0,))
        return explained(self.name, found, smooth=self.smooth)
