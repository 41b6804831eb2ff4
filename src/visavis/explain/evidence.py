"""The default explainer: maps by occlusion, effects of parts, and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from visavis.errors import UsageError
from visavis.explain.face_parts import PARTS
from visavis.explain.occlusion import OcclusionExplainer
from visavis.explain.regions import WAYS, RegionExplainer
from visavis.geometry import TEMPLATES
from visavis.types import Crops, Explanation
from visavis.types.protocols import Embedder

BUDGET = 188
"""Passes a pair: one to two seconds on two cores with the default recogniser."""
_SHARE = 3
_FOR_MAPS = 2 + 2 * 36
_LEAST = 2 + 2 * len(PARTS) + _FOR_MAPS


class EvidenceExplainer:
    """Maps of `OcclusionExplainer`, regions and sentence of `RegionExplainer`, within one budget.

    On crops of a template whose parts are not known, maps alone. Nothing in it is random.

    Args:
        embedder: Anything that makes templates of crops.
        budget: The most crops of a pair that go through the network; about a third goes to the parts.
        threshold: Similarities at or above it are a match; the sentence says which side the pair is on.

    Raises:
        UsageError: A budget that is too small for both.
    """

    name = "explainer/evidence"
    needs_gradients = False

    def __init__(self, embedder: Embedder, *, budget: int = BUDGET, threshold: float | None = None) -> None:
        if budget < _LEAST:
            raise UsageError(f"maps and parts need a budget of at least {_LEAST} passes a pair; got {budget}")
        self.embedder = embedder
        self.budget = budget
        self.threshold = threshold

    def explain(self, left: Crops, right: Crops) -> Sequence[Explanation]:
        """One explanation a pair of rows.

        Raises:
            UsageError: Rows that are no pairs.
            ModelError: A crop without an embedding.
        """
        if left.template not in TEMPLATES:
            found = OcclusionExplainer(self.embedder, budget=self.budget).explain(left, right)
            return [replace(one, method=self.name) for one in found]
        way = 2 * len(PARTS)
        wanted = min(len(WAYS), self.budget // (_SHARE * way), (self.budget - 2 - _FOR_MAPS) // way)
        for_parts = 2 + way * max(1, wanted)
        parts = RegionExplainer(self.embedder, budget=for_parts, threshold=self.threshold).explain(left, right)
        rest = self.budget - for_parts
        maps = OcclusionExplainer(self.embedder, budget=rest).explain(left, right)
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
