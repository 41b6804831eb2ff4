"""A backbone with adapters, which weighs them by the quality of each picture itself."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from torch import Tensor, nn

from visavis.errors import ModelError, UsageError
from visavis.nn.adapters.low_rank import DualLowRankLinear
from visavis.nn.adapters.mixing import checked_alpha, given_alpha, mixed_by
from visavis.nn.adapters.quality_weight import FixedWeight
from visavis.nn.adapters.wrap_linear import TARGETS, Beginning, adapted_layers, merge_linear, wrap_linear
from visavis.nn.backbones.backbone import Backbone, Keep
from visavis.nn.layers.recording import recording


class AdaptedBackbone(Backbone):
    """A frozen network and its adapters, called as any backbone.

    Narayan et al. 2025, PETALface. Where layers have two adapters, ``weight`` says how much of the second each picture
    gets; `visavis.nn.adapters.mixing.mixed_by` around a call overrides it. Keys are those of the network, with
    ``trainable_lora_*`` beside the weights of the wrapped layers.

    Args:
        network: With adapters; see `wrap_linear`, and `adapt`, which makes both.
        weight: From the normalised input ``(B, C, H, W)`` to alpha ``(B,)``: `FixedWeight`, `QualityWeight` or a
            module of one's own.
        rests: In training mode the frozen parts stay in evaluation mode: batch statistics, dropout, drop path and
            masked tokens are off. False trains as the official code, where they run on.

    Attributes:
        dual: Whether any layer has two adapters.

    Raises:
        UsageError: The network has no adapters.
    """

    def __init__(self, network: Backbone, *, weight: nn.Module | None = None, rests: bool = True) -> None:
        super().__init__()
        found = adapted_layers(network)
        if not found:
            raise UsageError("the network has no adapters; give it some with adapt or wrap_linear")
        self.network = network
        self.contract, self.dimension, self.taps = network.contract, network.dimension, network.taps
        self.told = network.told
        self.released = {"network.": ""} | {f"network.{ours}": theirs for ours, theirs in network.released.items()}
        self.dual = any(isinstance(layer, DualLowRankLinear) for layer in found.values())
        self.weight = weight or FixedWeight()
        self.rests = rests
        self.train(network.training)

    def embed(self, x: Tensor, keep: Keep) -> Tensor:
        """See `Backbone.embed`; alpha of another number of pictures than ``x`` has is a UsageError."""
        if not self.dual:
            return self.network.embed(x, keep)
        given = given_alpha()
        alpha = checked_alpha(self.weight(x) if given is None else given)
        if not recording() and len(alpha) != len(x):
            raise UsageError(f"alpha has {len(alpha)} values for {len(x)} pictures; give one for each of the batch")
        with mixed_by(alpha):
            return self.network.embed(x, keep)

    def blocks(self) -> list[nn.Module]:
        """See `Backbone.blocks`."""
        return self.network.blocks()

    def train(self, mode: bool = True) -> AdaptedBackbone:
        """Training or evaluation mode; see ``rests``."""
        super().train(mode)
        if mode and self.rests:
            self.network.eval()
            for layer in adapted_layers(self.network).values():
                layer.train()
        return self

    def counts(self) -> tuple[int, int]:
        """Weights of the adapters, and of the frozen network."""
        sizes = {name: weight.numel() for name, weight in self.network.named_parameters()}
        adapters = sum(weight.numel() for weight in self.network.parameters() if weight.requires_grad)
        return adapters, sum(sizes.values()) - adapters

    def merged(self, alpha: float | None = None) -> Backbone:
        """A plain network that computes the same for one alpha; this one stays as it is.

        Args:
            alpha: The share of the second adapter; None where no layer has two.

        Raises:
            UsageError: See `LowRankLinear.merged`.
        """
        return merge_linear(copy.deepcopy(self.network), alpha)

    def for_export(self) -> Backbone:
        """What goes into a file for inference: merged where one alpha does for all pictures, else with alpha computed.

        Raises:
            ModelError: Alpha comes from what a graph cannot hold.
        """
        if not self.dual:
            return self.merged()
        if isinstance(self.weight, FixedWeight):
            return self.merged(self.weight.alpha)
        if not getattr(self.weight, "exportable", False):
            raise ModelError(
                "the two adapters are mixed by a measure that is no part of the network, so a file would not know how; "
                "train with the measure sharpness or with fixed, or export merged(alpha)",
                reason="model.export",
            )
        return self


def adapt(
    network: Backbone,
    *,
    dual: bool = True,
    rank: int = 8,
    scale: float = 1.0,
    dropout: float = 0.1,
    targets: Sequence[str] = TARGETS,
    weight: nn.Module | None = None,
    rests: bool = True,
    begin: Beginning = "same",
) -> AdaptedBackbone:
    """Give a network adapters; see `wrap_linear` and `AdaptedBackbone`. The network itself is changed."""
    wrap_linear(network, targets, rank, dual=dual, scale=scale, dropout=dropout, begin=begin)
    return AdaptedBackbone(network, weight=weight, rests=rests)
