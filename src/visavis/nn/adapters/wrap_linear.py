"""Give the linear layers of a network adapters, and merge them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from torch import nn

from visavis.errors import UsageError
from visavis.nn.adapters.low_rank import TRAINABLE, DualLowRankLinear, LowRankLinear
from visavis.nn.backbones.backbone import Backbone

FEATURES = "features"
"""The target that stands for the linear layers behind the last block."""
TARGETS = ("qkv", FEATURES)
Beginning = Literal["same", "official"]
"""``same``: U is zero, the network begins as it was. ``official``: all adapters from a truncated normal of deviation
0.02, which PETALface's constructor makes of them."""


def wrap_linear(
    backbone: Backbone,
    targets: Sequence[str] = TARGETS,
    rank: int = 8,
    *,
    dual: bool = True,
    scale: float = 1.0,
    dropout: float = 0.1,
    begin: Beginning = "same",
) -> list[str]:
    """Replace linear layers by such with adapters, in place; everything but the adapters rests.

    Args:
        backbone: A network whose blocks have linear layers: a transformer.
        targets: Last names of linear layers within blocks (``qkv``, ``proj``, ``fc1``, ``fc2``), and ``features``.
        rank: Of each adapter.
        dual: Two adapters within the blocks, mixed by quality, as PETALface; behind the last block there is always one.
        scale: Factor of what adapters add.
        dropout: Of what adapters add, in training.
        begin: How adapters begin.

    Returns:
        The names of the replaced layers.

    Raises:
        UsageError: No such layers, layers that have adapters already, or a rank out of range.
    """
    if begin not in get_args(Beginning):
        raise UsageError(f"adapters begin as one of {', '.join(get_args(Beginning))}; got {begin!r}")
    chosen = _chosen(backbone, targets)
    backbone.requires_grad_(False)
    for name, inside in chosen.items():
        kind = DualLowRankLinear if dual and inside else LowRankLinear
        layer = backbone.get_submodule(name)
        assert isinstance(layer, nn.Linear)
        backbone.set_submodule(name, kind(layer, rank, scale=scale, dropout=dropout))
    if begin == "official":
        for name, weight in backbone.named_parameters():
            if TRAINABLE in name:
                nn.init.trunc_normal_(weight, std=0.02)
    return list(chosen)


def merge_linear(backbone: Backbone, alpha: float | None = None) -> Backbone:
    """Replace layers with adapters by plain ones that compute the same, in place.

    Args:
        backbone: See `wrap_linear`.
        alpha: The share of the second adapter, for all pictures; None where no layer has two.

    Raises:
        UsageError: See `LowRankLinear.merged`.
    """
    for name, layer in list(backbone.named_modules()):
        if isinstance(layer, LowRankLinear):
            two = isinstance(layer, DualLowRankLinear)
            backbone.set_submodule(name, layer.merged(alpha if two else None))
    return backbone.requires_grad_(True)


def linear_layers(backbone: Backbone) -> dict[str, bool]:
    """The linear layers of the blocks and those behind the last block: name -> whether it lies within a block."""
    blocks = backbone.blocks()
    inside = {id(part) for block in blocks for part in block.modules()}
    found: dict[str, bool] = {}
    behind = False
    for name, part in backbone.named_modules():
        behind |= part is blocks[-1]
        if type(part) is nn.Linear and (behind or id(part) in inside):
            found[name] = id(part) in inside
    return found


def adapted_layers(backbone: nn.Module) -> dict[str, LowRankLinear]:
    """The layers with adapters, by name."""
    return {name: part for name, part in backbone.named_modules() if isinstance(part, LowRankLinear)}


def _chosen(backbone: Backbone, targets: Sequence[str]) -> dict[str, bool]:
    if adapted_layers(backbone):
        raise UsageError("the network has adapters already; merge them first with merge_linear")
    layers = linear_layers(backbone)
    called = {name: name.rpartition(".")[2] if inside else FEATURES for name, inside in layers.items()}
    missing = [target for target in targets if target not in called.values()]
    if missing or not targets:
        known = ", ".join(dict.fromkeys(called.values()))
        raise UsageError(
            f"{type(backbone).__name__} has no linear layers called {', '.join(missing) or 'nothing'} for adapters; it "
            f"has {known or 'none: adapters are for transformers, such as backbone/vit-mini'}"
        )
    return {name: inside for name, inside in layers.items() if called[name] in targets}
