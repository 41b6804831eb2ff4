"""Occlusion: hide a square, look at the similarity, move on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.explain.fills import filler
from visavis.explain.masks import grid_masks
from visavis.explain.probe import Hiding, Probed, check_pairs, probe
from visavis.types import Crops, Explanation
from visavis.types.protocols import Embedder

Hide = Literal["each", "left", "right", "both"]


class OcclusionExplainer:
    """Signed maps from a square that slides over the faces.

    The effect of a place is the similarity lost when it is hidden. A pixel's value is the mean effect of the squares
    that cover it, weighted by how much they cover it. Zeiler and Fergus 2014, section 4.2, for a pair.

    Args:
        embedder: Anything that makes templates of crops.
        hide: ``each``: both maps, each by hiding in that face alone; ``left`` or ``right``: that map alone, the other
            is zero; ``both``: the same place in both faces at once, one map for both.
        size: Side of the square in pixels of the crop.
        fill: What is put there: ``grey`` or ``mean``.
        budget: The most crops of a pair that go through the network; the grid is made as fine as it allows.

    Raises:
        UsageError: An unknown way or fill, or a budget that does not cover the crop.
    """

    name = "explainer/occlusion"
    needs_gradients = False

    def __init__(
        self, embedder: Embedder, *, hide: Hide = "each", size: int = 20, fill: str = "mean", budget: int = 130
    ) -> None:
        if hide not in get_args(Hide):
            raise UsageError(f"hide is one of {', '.join(get_args(Hide))}; got {hide!r}")
        self.embedder = embedder
        self.hide = hide
        self.size = size
        self.fill = fill
        self.budget = budget
        self._filler = filler(fill)

    def explain(self, left: Crops, right: Crops) -> Sequence[Explanation]:
        """One explanation a pair of rows.

        Raises:
            UsageError: Rows that are no pairs, or a square or budget that does not fit the crops.
            ModelError: A crop without an embedding.
        """
        check_pairs(left, right)
        shape = left.pixels.shape[1:3]
        sides = 1 if self.hide in ("left", "right") else 2
        masks = grid_masks((shape[0], shape[1]), size=self.size, most=(self.budget - 2) // sides)
        probed = probe(
            self.embedder,
            left,
            right,
            [self._hiding(masks, pixels, "left") for pixels in left.pixels],
            [self._hiding(masks, pixels, "right") for pixels in right.pixels],
        )
        return [self._explanation(masks, pair) for pair in probed]

    def _hiding(self, masks: NDArray[np.float32], pixels: NDArray[np.uint8], side: Hide) -> Hiding | None:
        if self.hide not in (side, "each", "both"):
            return None
        return Hiding(masks, [self._filler(pixels)] * len(masks))

    def _explanation(self, masks: NDArray[np.float32], pair: Probed) -> Explanation:
        if self.hide == "both":
            left = right = pair.both
        else:
            left, right = pair.left_only, pair.right_only
        return Explanation(
            self.name,
            _spread(masks, pair.similarity - left),
            _spread(masks, pair.similarity - right),
            pair.similarity,
            passes=pair.passes,
        )


def _spread(masks: NDArray[np.float32], effects: NDArray[np.float64]) -> NDArray[np.float32]:
    """The mean effect of the masks over each pixel, ``(H, W)``; zero without effects."""
    if not len(effects):
        return np.zeros(masks.shape[1:], np.float32)
    total = np.tensordot(effects, masks.astype(np.float64), 1)
    mean: NDArray[np.float32] = (total / np.maximum(masks.sum(axis=0), 1e-6)).astype(np.float32)
    return mean
