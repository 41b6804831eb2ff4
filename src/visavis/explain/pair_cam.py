"""A class activation map for pairs: which places of a feature map carry the similarity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.explain.probe import check_pairs
from visavis.explain.tensors import ROWS, tensor, torch_module
from visavis.types import Crops, Explanation

if TYPE_CHECKING:
    from torch import Tensor

PASSES = 2
_SIDE = 14


class TappedEmbedder(Protocol):
    """An embedder in torch that shows what it computes on the way."""

    @property
    def taps(self) -> Mapping[str, tuple[int, ...]]:
        """Tap name -> shape without the batch, in the order of computation."""
        ...

    def features(self, pixels: Tensor, *, taps: Sequence[str] = ()) -> Mapping[str, Tensor]:
        """The taps that were asked for, and the embedding under the last declared name."""
        ...


class PairCamExplainer:
    """Signed maps from one feature map of the network.

    Each place of the tap gets ``sum over channels of gradient * activation``, the gradient being that of
    ``cos(f(a), f(b))``. With ``pooled`` the gradient is averaged over the places first: Grad-CAM (Selvaraju et al.
    2017, eq. 1-2) without its ReLU, so that what spoke against stays. Without, each place keeps its own gradient
    (HiResCAM, Draelos and Carin 2020): right for networks that end in a linear layer over all places, as SFace does.

    Args:
        embedder: In torch, with declared taps.
        tap: Name of a tap of shape ``(C, h, w)``; None for the last whose sides are at least 14, or else the last.
        pooled: Average the gradient over the places.
        budget: The most crops of a pair that go through the network; 2 are needed.

    Raises:
        UsageError: No such tap, or a budget below 2.
    """

    name = "explainer/pair-cam"
    needs_gradients = True

    def __init__(
        self, embedder: TappedEmbedder, *, tap: str | None = None, pooled: bool = False, budget: int = PASSES
    ) -> None:
        if budget < PASSES:
            raise UsageError(f"a map of a pair needs a budget of at least {PASSES} passes; got {budget}")
        spatial = {name: shape for name, shape in getattr(embedder, "taps", {}).items() if len(shape) == 3}
        if not spatial:
            raise UsageError(
                f"{type(embedder).__name__} declares no tap of shape (C, h, w); use explainer/gradient or an explainer "
                "that needs no network"
            )
        large = [name for name, shape in spatial.items() if min(shape[1:]) >= _SIDE]
        self.embedder = embedder
        self.tap = tap or (large or list(spatial))[-1]
        self.pooled = pooled
        self.budget = budget
        if self.tap not in spatial:
            raise UsageError(f"tap is one of {', '.join(spatial)}; got {tap!r}")

    def explain(self, left: Crops, right: Crops) -> Sequence[Explanation]:
        """One explanation a pair of rows.

        Raises:
            UsageError: Rows that are no pairs.
            DependencyError: torch is not installed.
        """
        check_pairs(left, right)
        half = ROWS // 2
        found: list[Explanation] = []
        for at in range(0, len(left), half):
            found += self._some(left[slice(at, at + half)], right[slice(at, at + half)])
        return found

    def _some(self, left: Crops, right: Crops) -> list[Explanation]:
        torch = torch_module()
        pixels = tensor(np.concatenate([left.pixels, right.pixels])).requires_grad_(True)
        last = list(self.embedder.taps)[-1]
        features = self.embedder.features(pixels, taps=(self.tap, last))
        one, two = features[last].chunk(2)
        similarities = torch.nn.functional.cosine_similarity(one, two)
        activation = features[self.tap]
        (gradient,) = torch.autograd.grad(similarities.sum(), activation)
        if self.pooled:
            gradient = gradient.mean(dim=(2, 3), keepdim=True)
        maps = (gradient * activation).sum(dim=1).detach().numpy()
        height, width = left.pixels.shape[1:3]
        large = [_enlarged(one, width, height) for one in maps]
        return [
            Explanation(self.name, large[row], large[row + len(left)], float(similarity), passes=PASSES)
            for row, similarity in enumerate(similarities.detach())
        ]


def _enlarged(values: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
