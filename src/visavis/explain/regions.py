"""Regions: hide the eyes, the nose, the mouth ... one at a time, in each face and in both."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.explain.face_parts import PARTS, part_masks
from visavis.explain.fills import FILLS
from visavis.explain.probe import Hiding, Probed, check_pairs, probe
from visavis.explain.sentence import sentence
from visavis.types import Crops, Explanation, RegionEffect
from visavis.types.protocols import Embedder

WAYS: tuple[tuple[str, float], ...] = tuple(product(("mean", "grey"), (1.0, 0.85)))
"""The ways in which a part is hidden, best first: fill, and size of the part. Their spread is the noise of an
effect."""


class RegionExplainer:
    """Effects of the named parts of a face, and a sentence.

    A part is hidden in several ways: two fills, two sizes. Its effect is the mean similarity lost, and the spread
    over the ways says how much of that is the way of hiding. The maps spread each effect evenly over its part.

    Args:
        embedder: Anything that makes templates of crops.
        budget: The most crops of a pair that go through the network; fewer ways when it is short.
        threshold: Similarities at or above it are a match; the sentence says which side the pair is on.

    Raises:
        UsageError: A budget that does not allow one way.
    """

    name = "explainer/regions"
    needs_gradients = False

    def __init__(self, embedder: Embedder, *, budget: int = 58, threshold: float | None = None) -> None:
        ways = (budget - 2) // (2 * len(PARTS))
        if ways < 1:
            raise UsageError(
                f"hiding {len(PARTS)} parts needs a budget of at least {2 + 2 * len(PARTS)} passes a pair; got {budget}"
            )
        self.embedder = embedder
        self.budget = budget
        self.threshold = threshold
        self._ways = WAYS[:ways]

    def explain(self, left: Crops, right: Crops) -> Sequence[Explanation]:
        """One explanation a pair of rows.

        Raises:
            UsageError: Rows that are no pairs, or crops of a template whose parts are not known.
            ModelError: A crop without an embedding.
        """
        check_pairs(left, right)
        by_way = [list(part_masks(left.template, grow=grow).values()) for _, grow in self._ways]
        masks = np.array([mask for parts in by_way for mask in parts], np.float32)
        hidings = [[self._hiding(masks, pixels) for pixels in side.pixels] for side in (left, right)]
        probed = probe(self.embedder, left, right, *hidings)
        return [self._explanation(masks[: len(PARTS)], pair) for pair in probed]

    def _hiding(self, masks: NDArray[np.float32], pixels: NDArray[np.uint8]) -> Hiding:
        return Hiding(masks, [FILLS[fill](pixels) for fill, _ in self._ways for _ in PARTS])

    def _explanation(self, masks: NDArray[np.float32], pair: Probed) -> Explanation:
        sides = [pair.left_only, pair.right_only, pair.both]
        effects = np.array([(pair.similarity - side).reshape(len(self._ways), len(PARTS)) for side in sides])
        mean, spread = effects.mean(axis=1), effects[:2].mean(axis=0).std(axis=0)
        regions = tuple(
            RegionEffect(name, float(mean[0, row]), float(mean[1, row]), float(mean[2, row]), float(spread[row]))
            for row, name in enumerate(PARTS)
        )
        density = masks / masks.sum(axis=(1, 2), keepdims=True)
        left, right = (np.tensordot(mean[side], density.astype(np.float64), 1) for side in (0, 1))
        return Explanation(
            self.name,
            left.astype(np.float32),
            right.astype(np.float32),
            pair.similarity,
            passes=pair.passes,
            regions=regions,
            sentence=sentence(pair.similarity, regions, threshold=self.threshold),
        )
