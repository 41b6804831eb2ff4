"""The explainer for reports."""

from __future__ import annotations

from visavis.explain.evidence import BUDGET, EvidenceExplainer
from visavis.types.protocols import Embedder


def default_explainer(embedder: Embedder, *, threshold: float | None = None, budget: int = BUDGET) -> EvidenceExplainer:
    """The explainer for reports: cheap, faithful, needs nothing but an embedder.

    Args:
        embedder: Anything that makes templates of crops.
        threshold: Of the decision, so that the sentence can say which side the pair is on.
        budget: The most crops of a pair that go through the network.
    """
    return EvidenceExplainer(embedder, budget=budget, threshold=threshold)
