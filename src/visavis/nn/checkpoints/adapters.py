"""Adapters among the weights of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from visavis.errors import ModelError, UsageError
from visavis.nn.adapters.adapted import AdaptedBackbone
from visavis.nn.adapters.low_rank import TRAINABLE, DualLowRankLinear, LowRankLinear
from visavis.nn.adapters.wrap_linear import adapted_layers, linear_layers
from visavis.nn.backbones.backbone import Backbone

_PARTS = (("down", "up"), ("down2", "up2"))


def has_adapters(state: Mapping[str, object]) -> bool:
    """Whether a state dict holds any."""
    return any(TRAINABLE in key for key in state)


def without_adapters(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of the network alone."""
    return {key: value for key, value in state.items() if TRAINABLE not in key}


def with_adapters(
    network: Backbone,
    state: Mapping[str, Tensor],
    *,
    name: str,
    scale: float = 1.0,
    dropout: float = 0.1,
    weight: nn.Module | None = None,
) -> AdaptedBackbone:
    """A network that has adapters where a state dict has them, of the ranks found there; they are not yet filled.

    Args:
        network: Changed in place; one with adapters must have them in the same places already.
        state: With keys of the network, our own names.
        name: What to call the file in errors.
        scale: Factor of what adapters add.
        dropout: Of what they add, in training.
        weight: See `AdaptedBackbone`.

    Raises:
        ModelError: Adapters that are cut, of layers the network does not have, or of some blocks only.
        UsageError: The network has adapters already.
    """
    if adapted_layers(network):
        raise UsageError("the network has adapters already; give one without")
    layers = linear_layers(network)
    found = _found(state, name)
    _require_whole(found, layers, name)
    network.requires_grad_(False)
    for place, parts in found.items():
        layer = network.get_submodule(place)
        assert isinstance(layer, nn.Linear)
        kind = DualLowRankLinear if "down2" in parts else LowRankLinear
        network.set_submodule(place, kind(layer, len(parts["down"]), scale=scale, dropout=dropout))
    return AdaptedBackbone(network, weight=weight)


def _found(state: Mapping[str, Tensor], name: str) -> dict[str, dict[str, Tensor]]:
    """Layer -> part of its adapters -> weights."""
    found: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        place, _, rest = key.partition(f".{TRAINABLE}_")
        if rest:
            found.setdefault(place, {})[rest.removesuffix(".weight")] = value
    whole = [set(_PARTS[0]), {*_PARTS[0], *_PARTS[1]}]
    for place, parts in found.items():
        if set(parts) not in whole or any(part.ndim != 2 for part in parts.values()):
            raise ModelError(
                f"{name} holds adapters of {place} that are cut: {', '.join(sorted(parts))}; use an intact copy",
                reason="model.damaged",
            )
    return found


def _require_whole(found: Mapping[str, object], layers: Mapping[str, bool], name: str) -> None:
    """Adapters lie in every block or in none."""
    strange = sorted(set(found) - set(layers))
    kinds = {place.rpartition(".")[2] for place in found if layers.get(place)}
    lacking = [place for place, inside in layers.items() if inside and place.rpartition(".")[2] in kinds]
    lacking = [place for place in lacking if place not in found]
    if strange or lacking:
        told = f"of {strange[0]}, which the network has not" if strange else f"in some blocks and not of {lacking[0]}"
        raise ModelError(f"{name} holds adapters {told}; name another backbone", reason="model.refused")
