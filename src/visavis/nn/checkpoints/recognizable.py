"""A network with recognizability as one file, and out of one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from visavis import registry
from visavis._require import require
from visavis.errors import ModelError
from visavis.io.atomic import write_output
from visavis.io.files import read_file
from visavis.nn.backbones.backbone import Backbone
from visavis.nn.backbones.recognizable import RecognizableBackbone, map_of
from visavis.nn.checkpoints.keys import fill, to_released
from visavis.nn.checkpoints.read import read_checkpoint

HEAD = "head.weight"
_HIDDEN = "attn.attention.mlp.0.weight"
_BEST, _MEAN, _STD = "ui.ri_best", "ui.ri_mean", "ui.ri_std"
_SPREAD = 6.0


class RecognizableFile(NamedTuple):
    """What such a file holds.

    Attributes:
        network: In evaluation mode.
        head: Class centres, float ``(classes, dimension)``; None where the file has none.
    """

    network: RecognizableBackbone
    head: Tensor | None


def save_recognizable(network: RecognizableBackbone, path: str | Path, *, head: Tensor | None = None) -> None:
    """Write ``backbone.*``, ``attn.*``, ``regressor.*``, ``ui.center``, ``ui.ri_mean`` ... and ``head.weight``.

    Args:
        network: What to write.
        path: ``NAME.safetensors``.
        head: Class centres ``(classes, dimension)``; left out when None.

    Raises:
        UsageError: The path cannot be written.
        DependencyError: safetensors is not installed.
    """
    safetensors = require("safetensors.torch", extra="torch", why="a file of safetensors")
    state = {name: value.detach().contiguous() for name, value in to_released(network).items()}
    if head is not None:
        state[HEAD] = head.detach().contiguous()
    write_output(Path(path), safetensors.save(state))


def load_recognizable(
    path: str | Path,
    backbone: str | Backbone,
    *,
    options: Mapping[str, Any] | None = None,
    tap: str = "",
    fusion: bool = False,
) -> RecognizableFile:
    """The network of a file of `save_recognizable`.

    The reduction of the attention is read off its shapes. A file without ``ui.ri_best``, which is of this library,
    gets the mean of the unrecognisable plus six deviations in its place.

    Args:
        path: The file.
        backbone: Registry name of the network, or one to be filled in place.
        options: Keyword arguments of a network given by name.
        tap: Its tap that is the map; the last one when empty.
        fusion: See `RecognizableBackbone`.

    Raises:
        ModelError: The file cannot be read, or holds another network.
        UsageError: A tap that is no map.
    """
    name = str(path)
    state = read_checkpoint(read_file(Path(path)), name=name)
    missing = [key for key in (_HIDDEN, "regressor.fc.weight", "ui.center", _MEAN, _STD) if key not in state]
    if missing:
        raise ModelError(
            f"{name} holds no network with recognizability: it has no {', '.join(missing)}; a plain recogniser is read "
            "by load_released",
            reason="model.refused",
        )
    inner = backbone
    if not isinstance(inner, Backbone):
        inner = cast(Backbone, registry.create(registry.resolve(inner, kind="backbone"), **(options or {})))
    channels = map_of(inner, tap)[1][0]
    network = RecognizableBackbone(inner, tap=tap, reduction=max(1, channels // len(state[_HIDDEN])), fusion=fusion)
    head = state.pop(HEAD, None)
    state.setdefault(_BEST, torch.as_tensor(state[_MEAN] + _SPREAD * state[_STD]))
    fill(network, state, name=name)
    return RecognizableFile(network.eval(), head)
