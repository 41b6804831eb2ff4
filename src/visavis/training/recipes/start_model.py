"""Begin with a vision transformer that comes with this package: its stored weights, in torch again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from visavis import registry
from visavis._require import require
from visavis.cards import PackageFile, WeightCard
from visavis.errors import ModelError, UsageError
from visavis.nn.backbones.backbone import Backbone
from visavis.nn.backbones.vit import ViTBackbone
from visavis.nn.pixels import network_input
from visavis.runtime import graphs
from visavis.runtime.dequantise import dequantise
from visavis.runtime.weights import read_weights

CROPS = 512
"""Crops on which the statistics of batch normalisations are measured."""
_PREFIX, _FOLDED = "backbone.", "_bias"
_Norm = nn.BatchNorm1d | nn.BatchNorm2d


def model_card(name: str) -> WeightCard:
    """The card of a recogniser of this package by its name.

    Raises:
        ModelError: An unknown name.
        UsageError: One that this package did not train itself.
    """
    card = registry.load(registry.resolve(name, kind="embedder"))
    source = card.sources[0] if isinstance(card, WeightCard) else None
    if not isinstance(source, PackageFile) or source.package != "visavis":
        raise UsageError(f"a run begins with a model of this package, such as visavis-vit-t; {name} is none")
    found: WeightCard = card
    return found


def begin_model(backbone: Backbone, name: str, pixels: NDArray[np.uint8]) -> WeightCard:
    """Give a new backbone the weights of a model of this package, in place.

    The stored file has batch normalisations folded into the layers before them. They are put back: their statistics
    are measured on crops, and their factors chosen so that the network computes what the file does; in training they
    then find what they expect.

    Args:
        backbone: ``backbone/vit-mini`` for ``visavis-vit-t``.
        name: Of the model.
        pixels: uint8 RGB crops ``(N, S, S, 3)``.

    Returns:
        The card of the model.

    Raises:
        ModelError: The weights are missing or refused.
        UsageError: Another backbone, or a model of another package.
    """
    require("onnx", extra="onnx", why="beginning with a model of this package")
    card = model_card(name)
    if not isinstance(backbone, ViTBackbone):
        raise UsageError(
            f"a run begins with {name} in a vision transformer; the recipe has a {type(backbone).__name__}"
        )
    data, read = read_weights(card)
    stored = _stored(graphs.Graph(dequantise(graphs.parse(data, name=name))))
    _fill(backbone, stored, name)
    training = backbone.training
    settle_norms(backbone.eval(), pixels)
    backbone.train(training)
    return read


@torch.no_grad()
def settle_norms(backbone: Backbone, pixels: NDArray[np.uint8]) -> None:
    """Measure the statistics of batch normalisations on crops; what the network computes stays the same.

    Args:
        backbone: In evaluation mode.
        pixels: uint8 RGB crops ``(N, S, S, 3)``, two or more.
    """
    with _watched(backbone) as seen:
        for start in range(0, len(pixels), 64):
            backbone(network_input(torch.from_numpy(pixels[start : start + 64]), backbone.contract))
    for norm, (count, total, squares) in seen.items():
        _settle(norm, total / count, (squares / count - (total / count) ** 2).clamp_min(0))


def _settle(norm: _Norm, mean: Tensor, variance: Tensor) -> None:
    """Give a normalisation other statistics, and the factors with which it computes the same as before."""
    old_mean, old_variance = norm.running_mean, norm.running_var
    assert old_mean is not None and old_variance is not None
    factor = norm.weight / torch.sqrt(old_variance + norm.eps)
    norm.bias.add_((mean.to(old_mean) - old_mean) * factor)
    norm.weight.copy_(factor * torch.sqrt(variance.to(old_variance) + norm.eps))
    old_mean.copy_(mean)
    old_variance.copy_(variance)


@contextmanager
def _watched(backbone: Backbone) -> Iterator[dict[_Norm, tuple[int, Tensor, Tensor]]]:
    """What goes into each batch normalisation: number of values a channel, their sum and that of their squares."""
    seen: dict[_Norm, tuple[int, Tensor, Tensor]] = {}

    def watch(norm: nn.Module, given: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, _Norm)
        values = given[0].double().transpose(0, 1).flatten(1)
        count, total, squares = seen.get(norm, (0, torch.zeros(len(values)), torch.zeros(len(values))))
        seen[norm] = count + values.shape[1], total + values.sum(1), squares + values.square().sum(1)

    norms = [part for part in backbone.modules() if isinstance(part, _Norm)]
    hooks = [norm.register_forward_pre_hook(watch) for norm in norms]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _stored(network: graphs.Graph) -> dict[str, NDArray[np.floating]]:
    """The weights of an exported network by their names in torch; those of plain products lie beside their biases."""
    named = {key.removeprefix(_PREFIX): value for key, value in network.weights.items() if key.startswith(_PREFIX)}
    products = [
        network.weights[node.input[1]].T
        for node in network.nodes
        if node.op_type == "MatMul" and node.input[1] in network.weights
    ]
    blocks = sorted({int(key.split(".")[1]) for key in named if key.startswith("body.")})
    layers = [f"body.{block}.{layer}" for block in blocks for layer in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")]
    return named | {f"{layer}.weight": value for layer, value in zip(layers, products, strict=False)}


@torch.no_grad()
def _fill(backbone: ViTBackbone, stored: dict[str, NDArray[np.floating]], name: str) -> None:
    """Weights, and normalisations that were folded as such that do nothing but add what is left of them."""
    wanted = {f"patch_embed.proj.{place}": f"patch_embed.proj.{place + 1}" for place in (0, 3, 6, 9)}
    norms = {f"{layer}.weight{_FOLDED}": norm for layer, norm in wanted.items()}
    norms |= {f"feature.{place}.weight{_FOLDED}": f"feature.{place + 1}" for place in (0, 2)}
    own = backbone.state_dict()
    absent = [key for key, norm in norms.items() if key not in stored or f"{norm}.running_mean" not in own]
    if absent:
        raise _misfit(backbone, name, absent[0])
    for key, norm in norms.items():
        layer = backbone.get_submodule(norm)
        assert isinstance(layer, _Norm)
        stored[f"{norm}.bias"] = stored.pop(key)
        stored[f"{norm}.weight"] = np.ones(layer.num_features, np.float32)
        stored[f"{norm}.running_mean"] = np.zeros(layer.num_features, np.float32)
        stored[f"{norm}.running_var"] = np.full(layer.num_features, 1 - layer.eps, np.float32)
    missing = [key for key in own if key not in stored and key.rpartition(".")[2] not in _OPTIONAL]
    differing = [key for key, value in stored.items() if key not in own or own[key].shape != value.shape]
    if missing or differing:
        raise _misfit(backbone, name, (missing + differing)[0])
    backbone.load_state_dict({key: torch.tensor(value) for key, value in stored.items()}, strict=False)


def _misfit(backbone: Backbone, name: str, key: str) -> ModelError:
    return ModelError(
        f"{name} does not fit this {type(backbone).__name__} ({key} differs); build backbone/vit-mini without options "
        "and begin with visavis-vit-t",
        reason="model.refused",
    )


_OPTIONAL = ("num_batches_tracked", "mask_token")
