"""From the quality of a picture to the weight of the adapter for good pictures."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from visavis.cards import InputContract
from visavis.errors import UsageError
from visavis.nn.layers.recording import recording

Score = Callable[[Tensor], Tensor]
"""Of pictures, float RGB ``(B, 3, H, W)`` in 0..1, one score each, float ``(B,)``."""


def quality_weight(score: Tensor, *, threshold: float = 0.5, lower_better: bool = False, clamp: bool = True) -> Tensor:
    """``alpha = 0.5 + (score - threshold)``: the share of the second adapter, which is for good pictures.

    Narayan et al. 2025, PETALface, released code, where three branches are this one formula; alpha is not clamped
    there, and the sign of a measure whose lower values are better is not turned.

    Args:
        score: Float ``(B,)``; a difference of 1 moves alpha from one adapter to the other, so scores of 0..100 are
            divided by 100 before.
        threshold: The score that gives both adapters half.
        lower_better: Whether low scores are good: ``0.5 + (threshold - score)``.
        clamp: Keep alpha in 0..1.

    Raises:
        UsageError: A score is NaN.

    Example:
        >>> [round(one, 2) for one in quality_weight(torch.tensor([0.3, 0.5, 0.9]), threshold=0.4).tolist()]
        [0.4, 0.6, 1.0]
    """
    if not recording() and bool(torch.isnan(score).any()):
        raise UsageError(
            f"the quality of {int(torch.isnan(score).sum())} of {score.numel()} pictures is NaN, so nothing says how "
            "to mix the adapters; take another measure, or a fixed alpha"
        )
    alpha = 0.5 + (threshold - score if lower_better else score - threshold)
    return alpha.clamp(0.0, 1.0) if clamp else alpha


class FixedWeight(nn.Module):
    """One alpha for every picture: no measure of quality is needed.

    Args:
        alpha: The share of the second adapter.
    """

    exportable = True

    def __init__(self, alpha: float = 0.5) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        """Normalised input ``(B, C, H, W)`` to ``(B,)``."""
        return torch.full_like(x[:, 0, 0, 0], self.alpha)


class QualityWeight(nn.Module):
    """Alpha of each picture from its own score; no gradient flows through it.

    Args:
        score: See `Score`.
        contract: Of the network, by which its input is turned back into a picture.
        threshold: See `quality_weight`; in the unit of the score.
        lower_better: See there.
        clamp: See there.
        normalised: Give the score the network's input in place of the picture, as the released code does by mistake;
            for parity with it.
        exportable: Whether the score is made of operators of torch alone.
    """

    def __init__(
        self,
        score: Score,
        contract: InputContract,
        *,
        threshold: float = 0.5,
        lower_better: bool = False,
        clamp: bool = True,
        normalised: bool = False,
        exportable: bool = True,
    ) -> None:
        super().__init__()
        self.score, self.contract = score, contract
        self.threshold, self.lower_better, self.clamp = threshold, lower_better, clamp
        self.normalised, self.exportable = normalised, exportable

    def forward(self, x: Tensor) -> Tensor:
        """Normalised input ``(B, C, H, W)`` to ``(B,)``."""
        seen = x.detach().float()
        score = self.score(seen if self.normalised else pictures_of(seen, self.contract))
        if score.shape != seen.shape[:1]:
            raise UsageError(f"a score has one value a picture, ({len(x)},); got {tuple(score.shape)}")
        return quality_weight(score, threshold=self.threshold, lower_better=self.lower_better, clamp=self.clamp)


def pictures_of(x: Tensor, contract: InputContract) -> Tensor:
    """What a network's input shows: the inverse of `visavis.nn.pixels.normalise`, over 255.

    Args:
        x: Normalised ``(B, C, H, W)``.
        contract: Of the network.

    Returns:
        RGB ``(B, 3, H, W)`` in 0..1; grey in all three channels where the network takes grey.
    """

    def column(values: float | tuple[float, ...]) -> Tensor:
        return x.new_tensor(values).reshape(-1, 1, 1)

    shown = (x / column(contract.scale) + column(contract.mean)) / 255
    if contract.colour == "bgr":
        return shown.flip(1)
    return shown.expand(-1, 3, -1, -1) if contract.colour == "grey" else shown
