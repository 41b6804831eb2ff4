"""Adapters in a file of their own, a hundredth of the network."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from visavis._require import require
from visavis.errors import ModelError, UsageError
from visavis.io.atomic import write_output
from visavis.io.files import read_file
from visavis.nn.adapters.adapted import AdaptedBackbone
from visavis.nn.adapters.low_rank import TRAINABLE
from visavis.nn.adapters.wrap_linear import adapted_layers
from visavis.nn.backbones.backbone import Backbone
from visavis.nn.checkpoints.adapters import with_adapters

_ABOUT = "visavis.adapters"


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """Hexadecimal sha256 of the names, types, shapes and values of tensors, whatever their order."""
    found = hashlib.sha256()
    for name, value in sorted(state.items()):
        plain = value.detach().cpu().contiguous().numpy()
        found.update(f"{name} {plain.dtype} {plain.shape} ".encode())
        found.update(plain.tobytes())
    return found.hexdigest()


def frozen_sha256(network: nn.Module) -> str:
    """Of everything but adapters, batch statistics included."""
    return state_sha256({name: value for name, value in network.state_dict().items() if TRAINABLE not in name})


def save_adapters(adapted: AdaptedBackbone, path: str | Path) -> None:
    """Write the adapters alone, as safetensors, with the hash of the frozen weights they were trained on.

    Args:
        adapted: Whose adapters.
        path: ``NAME.safetensors``.

    Raises:
        OutputError: The file cannot be written.
    """
    safetensors = require("safetensors.torch", extra="torch", why="a file of adapters")
    network = adapted.network
    about = {
        "frozen": frozen_sha256(network),
        "scale": next(iter(adapted_layers(network).values())).scale,
        "dropout": next(iter(adapted_layers(network).values())).drop.p,
    }
    state = {name: value.contiguous() for name, value in network.state_dict().items() if TRAINABLE in name}
    write_output(Path(path), safetensors.save(state, {_ABOUT: json.dumps(about)}))


def load_adapters(network: Backbone, path: str | Path, *, weight: nn.Module | None = None) -> AdaptedBackbone:
    """The network with the adapters of a file; places and rank are those of the file.

    Args:
        network: With the frozen weights that the adapters were trained on; changed in place.
        path: Of `save_adapters`.
        weight: See `AdaptedBackbone`.

    Raises:
        ModelError: No such file, a damaged one, or adapters of another network; the network stays as it was.
        UsageError: The network has adapters already.
    """
    safetensors = require("safetensors.torch", extra="torch", why="a file of adapters")
    data = read_file(Path(path))
    try:
        state: dict[str, Tensor] = safetensors.load(data)
        length = int.from_bytes(data[:8], "little")
        about = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][_ABOUT])
        frozen, scale, dropout = str(about["frozen"]), float(about["scale"]), float(about["dropout"])
        _check(state, scale, dropout)
    except Exception as error:
        raise ModelError(
            f"{path} is no file of adapters ({' '.join(str(error).split())[:150]}); write one with save_adapters",
            reason="model.damaged",
        ) from error
    if frozen_sha256(network) != frozen:
        raise ModelError(
            f"the adapters of {path} were trained on other weights than those of this {type(network).__name__}; load "
            "the checkpoint that they belong to",
            reason="model.refused",
        )
    _check_places(network, state, scale, path)
    adapted = with_adapters(network, state, name=str(path), scale=scale, dropout=dropout, weight=weight)
    with torch.no_grad():
        for name, value in adapted.network.state_dict().items():
            if name in state:
                value.copy_(state[name])
    return adapted


def _check(state: Mapping[str, Tensor], scale: float, dropout: float) -> None:
    """Raise ValueError for what adapters cannot be."""
    if not state:
        raise ValueError("it holds no weights")
    if not math.isfinite(scale) or not 0 <= dropout < 1:
        raise ValueError(f"the scale is finite and the dropout in [0, 1); got {scale} and {dropout}")
    for name, value in state.items():
        if TRAINABLE not in name or value.ndim != 2:
            raise ValueError(f"{name} is no matrix of an adapter")
        if not value.is_floating_point() or not bool(value.isfinite().all()):
            raise ValueError(f"{name} is not finite")


def _check_places(network: Backbone, state: Mapping[str, Tensor], scale: float, path: str | Path) -> None:
    """Compare names and shapes with those of adapters in a copy, so that a refused file changes nothing."""
    try:
        trial = with_adapters(copy.deepcopy(network), state, name=str(path), scale=scale).network.state_dict()
    except UsageError as error:
        if adapted_layers(network):
            raise
        raise ModelError(f"{path} holds damaged adapters: {error}", reason="model.damaged") from error
    wanted = {name: value.shape for name, value in trial.items() if TRAINABLE in name}
    given = {name: value.shape for name, value in state.items()}
    differing = sorted(name for name in wanted | given if wanted.get(name) != given.get(name))
    if differing:
        raise ModelError(
            f"{path} holds damaged adapters: {differing[0]} is missing, unknown or of another shape; write the file "
            "again with save_adapters",
            reason="model.damaged",
        )
