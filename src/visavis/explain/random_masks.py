"""Random masks: hide smooth random halves of the faces and see which pixels go with the similarity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.explain.fills import filler
from visavis.explain.masks import random_masks
from visavis.explain.probe import Hiding, Probed, check_pairs, probe
from visavis.types import Crops, Explanation
from visavis.types.protocols import Embedder

Versus = Literal["whole", "hidden"]

_LEAST = 6


class RandomMaskExplainer:
    """Signed maps from smooth random masks.

    The map is the linear one that explains the similarities best: ``similarity of mask k = constant - sum over pixels
    of map * mask k``, by ridge regression in the span of the masks. Petsiuk et al. 2018 (RISE) average the masks by
    their score; that blames a pixel for what happened to be hidden with it, which the regression takes apart. Mery
    and Morris 2022 and Lu et al. 2024 (CorrRISE) use random masks for pairs of faces. Values are similarity per
    pixel: the sum over a part is about what hiding the part costs.

    Args:
        embedder: Anything that makes templates of crops.
        cells: Cells of the random grid along a side.
        hidden: Probability that a cell is hidden.
        fill: What is put there: ``grey`` or ``mean``.
        versus: ``whole``: a masked face is compared with the whole other face; ``hidden``: with the mean of the
            masked ones as well, which costs no further pass.
        ridge: Penalty as a share of the mean eigenvalue of the masks' inner products; more gives smoother maps.
        budget: The most crops of a pair that go through the network.
        seed: The masks are a function of it; every pair and both faces get the same masks.

    Raises:
        UsageError: A value that is not accepted.
    """

    name = "explainer/random-masks"
    needs_gradients = False

    def __init__(
        self,
        embedder: Embedder,
        *,
        cells: int = 11,
        hidden: float = 0.5,
        fill: str = "mean",
        versus: Versus = "whole",
        ridge: float = 0.1,
        budget: int = 200,
        seed: int = 0,
    ) -> None:
        if versus not in get_args(Versus):
            raise UsageError(f"versus is one of {', '.join(get_args(Versus))}; got {versus!r}")
        if not ridge > 0:
            raise UsageError(f"ridge must be positive; got {ridge}")
        if budget < _LEAST:
            raise UsageError(f"random masks need a budget of at least {_LEAST} passes a pair; got {budget}")
        self.embedder = embedder
        self.cells = cells
        self.hidden = hidden
        self.fill = fill
        self.versus = versus
        self.ridge = ridge
        self.budget = budget
        self.seed = seed
        self._filler = filler(fill)

    def explain(self, left: Crops, right: Crops) -> Sequence[Explanation]:
        """One explanation a pair of rows.

        Raises:
            UsageError: Rows that are no pairs.
            ModelError: A crop without an embedding.
        """
        check_pairs(left, right)
        shape = left.pixels.shape[1:3]
        masks = random_masks(
            (shape[0], shape[1]),
            count=(self.budget - 2) // 2,
            cells=self.cells,
            hidden=self.hidden,
            rng=np.random.default_rng(self.seed),
        )
        hidings = [
            [Hiding(masks, [self._filler(pixels)] * len(masks)) for pixels in side.pixels] for side in (left, right)
        ]
        probed = probe(self.embedder, left, right, *hidings)
        return [self._explanation(masks, pair) for pair in probed]

    def _explanation(self, masks: NDArray[np.float32], pair: Probed) -> Explanation:
        left, right = pair.left_only, pair.right_only
        if self.versus == "hidden":
            left = (left + pair.left @ pair.right.mean(axis=0)) / 2
            right = (right + pair.right @ pair.left.mean(axis=0)) / 2
        return Explanation(
            self.name,
            _fitted(masks, left, self.ridge),
            _fitted(masks, right, self.ridge),
            pair.similarity,
            passes=pair.passes,
        )


def _fitted(masks: NDArray[np.float32], similarities: NDArray[np.float64], ridge: float) -> NDArray[np.float32]:
    """The ridge solution ``(H, W)`` in its dual form: as many unknowns as masks."""
    rows = (masks - masks.mean(axis=0)).reshape(len(masks), -1).astype(np.float64)
    inner = rows @ rows.T
    penalty = ridge * max(float(np.trace(inner)) / len(inner), 1e-12)
    lost = np.linalg.solve(inner + penalty * np.eye(len(inner)), similarities.mean() - similarities)
    return np.asarray((lost @ rows).reshape(masks.shape[1:]), np.float32)
