"""The default explainer: maps from random masks, effects of parts, and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from visavis.errors import UsageError
from visavis.explain.face_parts import PARTS
from visavis.explain.random_masks import RandomMaskExplainer
from visavis.explain.regions import WAYS, RegionExplainer
from visavis.geometry import TEMPLATES
from visavis.types import Crops, Explanation
from visavis.types.protocols import Embedder

BUDGET = 300
"""Passes a pair: about two seconds on two cores with the default recogniser."""
_SHARE = 4
_LEAST = 2 + 2 * len(PARTS) + 8


class EvidenceExplainer:
    """Maps of `RandomMaskExplainer`, regions and sentence of `RegionExplainer`, within one budget.

    On crops of a template whose parts are not known, maps alone.

    Args:
        embedder: Anything that makes templates of crops.
        budget: The most crops of a pair that go through the network; about a quarter goes to the parts.
        threshold: Similarities at or above it are a match; the sentence says which side the pair is on.
        seed: Of the masks.

    Raises:
        UsageError: A budget that is too small for both.
    """

    name = "explainer/evidence"
    needs_gradients = False

    def __init__(
        self, embedder: Embedder, *, budget: int = BUDGET, threshold: float | None = None, seed: int = 0
    ) -> None:
        if budget < _LEAST:
            raise UsageError(f"maps and parts need a budget of at least {_LEAST} passes a pair; got {budget}")
        self.embedder = embedder
        self.budget = budget
        self.threshold = threshold
        self.seed = seed

    def explain(self, left: Crops, right: Crops) -> Sequence[Explanation]:
        """One explanation a pair of rows.

        Raises:
            UsageError: Rows that are no pairs.
            ModelError: A crop without an embedding.
        """
        if left.template not in TEMPLATES:
            found = RandomMaskExplainer(self.embedder, budget=self.budget, seed=self.seed).explain(left, right)
            return [replace(one, method=self.name) for one in found]
        way = 2 * len(PARTS)
        for_parts = 2 + way * max(1, min(len(WAYS), self.budget // (_SHARE * way)))
        parts = RegionExplainer(self.embedder, budget=for_parts, threshold=self.threshold).explain(left, right)
        rest = self.budget - for_parts
        maps = RandomMaskExplainer(self.embedder, budget=rest, seed=self.seed).explain(left, right)
        return [
            replace(
                one,
                method=self.name,
                passes=one.passes + part.passes,
                regions=part.regions,
                sentence=part.sentence,
            )
            for one, part in zip(maps, parts, strict=True)
        ]


def default_explainer(
    embedder: Embedder, *, threshold: float | None = None, budget: int = BUDGET, seed: int = 0
) -> EvidenceExplainer:
    """The explainer for reports: cheap, faithful, needs nothing but an embedder.

    Args:
        embedder: Anything that makes templates of crops.
        threshold: Of the decision, so that the sentence can say which side the pair is on.
        budget: The most crops of a pair that go through the network.
        seed: Of the masks; the same seed gives the same explanation.
    """
    return EvidenceExplainer(embedder, budget=budget, threshold=threshold, seed=seed)
