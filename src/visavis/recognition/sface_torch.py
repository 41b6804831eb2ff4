"""The default recogniser in torch, for gradients: the same weights as the ONNX file, to the last one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from visavis._require import require
from visavis.cards import WeightCard
from visavis.errors import ModelError, UsageError
from visavis.recognition.default_card import SFACE
from visavis.runtime import graphs
from visavis.runtime.dequantise import dequantise
from visavis.runtime.weights import read_weights

require("torch", extra="torch", why="the torch twin of SFace")

import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

if TYPE_CHECKING:
    import onnx

_WIDTHS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
_HALVED = (3, 5, 7, 13)
_SIDE = 112
_DIMENSION = 128
_UNIT_EPSILON = 1e-3
_LAST_EPSILON = 2e-5
_IDLE = ("Constant", "Dropout", "Flatten", "Identity")


def _declare() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    side = _SIDE
    for number, width in enumerate(_WIDTHS, start=1):
        side = side // 2 if number in _HALVED else side
        shapes[f"conv_{number}"] = (width, side, side)
    return {**shapes, "bn1": (_WIDTHS[-1], side, side), "pre_fc1": (_DIMENSION,), "fc1": (_DIMENSION,)}


TAPS = _declare()
"""Tap name -> shape without the batch. ``conv_K`` is the K-th stage after its PReLU, ``fc1`` the embedding."""


def _unit(channels: int, width: int, *, side: int, stride: int, depthwise: bool) -> nn.Sequential:
    groups = channels if depthwise else 1
    convolution = nn.Conv2d(channels, width, side, stride, padding=side // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width, eps=_UNIT_EPSILON), nn.PReLU(width))


class SFaceTorch(nn.Module):
    """The network of OpenCV's SFace: MobileNet v1 without pooling, 0.57 GMAC.

    A 3 x 3 convolution, thirteen pairs of a depthwise 3 x 3 and a pointwise convolution, each with batch
    normalisation and PReLU, then BN, dropout, flatten, linear and BN. Zhong et al. 2021; structure read from
    the ONNX file of OpenCV Zoo.

    Attributes:
        mean: Subtracted from pixels; 127.5 in the file.
        scale: Multiplied after that; 1 / 128 in the file.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([127.5]))
        self.register_buffer("scale", torch.tensor([1 / 128]))
        stages = [_unit(3, _WIDTHS[0], side=3, stride=1, depthwise=False)]
        for number, (channels, width) in enumerate(pairwise(_WIDTHS), start=2):
            stride = 2 if number in _HALVED else 1
            stages.append(
                nn.Sequential(
                    *_unit(channels, channels, side=3, stride=stride, depthwise=True),
                    *_unit(channels, width, side=1, stride=1, depthwise=False),
                )
            )
        self.stages = nn.ModuleList(stages)
        depth, height, width = TAPS["bn1"]
        self.bn1 = nn.BatchNorm2d(depth, eps=_LAST_EPSILON)
        self.dropout = nn.Dropout(0.4)
        self.pre_fc1 = nn.Linear(depth * height * width, _DIMENSION)
        self.fc1 = nn.BatchNorm1d(_DIMENSION, eps=_LAST_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """RGB ``(N, 3, 112, 112)`` in 0..255 to raw embeddings ``(N, 128)``."""
        return self.features(x)["fc1"]

    def features(self, x: Tensor, *, taps: Sequence[str] = ()) -> dict[str, Tensor]:
        """The embedding and what was asked for on the way to it, of one pass.

        Args:
            x: RGB ``(N, 3, 112, 112)`` in 0..255.
            taps: Names out of `TAPS`.

        Returns:
            The taps, each ``(N, *TAPS[name])``, and always ``fc1``, the raw embedding; bitwise the same
            whatever taps are asked for.

        Raises:
            UsageError: An unknown tap, or another input shape.
        """
        unknown = sorted(set(taps) - set(TAPS))
        if unknown:
            raise UsageError(f"no tap {', '.join(unknown)}; the taps are {', '.join(TAPS)}")
        if x.ndim != 4 or tuple(x.shape[1:]) != (3, _SIDE, _SIDE):
            raise UsageError(f"SFace takes RGB (N, 3, {_SIDE}, {_SIDE}) in 0..255; got {tuple(x.shape)}")
        kept: dict[str, Tensor] = {}
        value = (x - self.mean) * self.scale
        for number, stage in enumerate(self.stages, start=1):
            value = stage(value)
            _keep(kept, f"conv_{number}", value, taps)
        value = self.bn1(value)
        _keep(kept, "bn1", value, taps)
        value = self.pre_fc1(torch.flatten(self.dropout(value), 1))
        _keep(kept, "pre_fc1", value, taps)
        kept["fc1"] = self.fc1(value)
        return kept


def _keep(kept: dict[str, Tensor], name: str, value: Tensor, taps: Sequence[str]) -> None:
    if name in taps:
        kept[name] = value


def load_onnx(network: SFaceTorch, model: onnx.ModelProto, *, name: str) -> None:
    """Fill the network with the weights of an fp32 ONNX file of the same structure.

    Operators are matched in order, by kind, attributes and shape; every weight of the file is used exactly
    once and every weight of the network is filled, or nothing is returned.

    Args:
        network: Filled in place.
        model: Plain fp32, for example after `visavis.runtime.dequantise.dequantise`.
        name: What to call the file in errors.

    Raises:
        ModelError: The file has another structure; the message names the operator.
    """
    source = graphs.Graph(model)
    parts: list[nn.Module | str] = ["mean", "scale"]
    parts += [part for part in network.modules() if isinstance(part, nn.Conv2d | nn.BatchNorm2d | nn.PReLU)]
    parts = [part for part in parts if part is not network.bn1]
    parts += [network.bn1, network.pre_fc1, network.fc1]
    nodes = [node for node in source.nodes if node.op_type not in _IDLE]
    if len(nodes) != len(parts):
        raise _misfit(name, f"{len(nodes)} operators, expected {len(parts)}")
    used: list[str] = []
    with torch.no_grad():
        for node, part in zip(nodes, parts, strict=True):
            used += _fill(network, part, node, source, name)
    left = sorted(set(source.weights) - set(used) - _read_by_idle(source))
    if left or len(set(used)) != len(used):
        raise _misfit(name, f"weights that the network has no place for: {', '.join(left) or 'shared ones'}")


def _read_by_idle(source: graphs.Graph) -> set[str]:
    """Weights that only operators without weights read, such as a dropout ratio, and those nothing reads."""
    read = {name for node in source.nodes if node.op_type not in _IDLE for name in node.input}
    return set(source.weights) - read


def _targets(network: SFaceTorch, part: nn.Module | str) -> tuple[str, dict[str, Any], list[Tensor]]:
    """The operator, its attributes and the tensors that it fills, in the order of the operator's inputs."""
    if isinstance(part, str):
        return ("Sub" if part == "mean" else "Mul"), {}, [network.get_buffer(part)]
    if isinstance(part, nn.Conv2d):
        wanted = {"group": part.groups, "strides": list(part.stride), "kernel_shape": list(part.kernel_size)}
        padding = [int(side) for side in part.padding]
        return "Conv", {**wanted, "pads": padding * 2}, [part.weight]
    if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
        named = dict(part.named_parameters()) | dict(part.named_buffers())
        values = [named[key] for key in ("weight", "bias", "running_mean", "running_var")]
        return "BatchNormalization", {"epsilon": part.eps}, values
    if isinstance(part, nn.Linear):
        return "Gemm", {"transB": 1, "alpha": 1.0, "beta": 1.0}, [part.weight, part.bias]
    return "PRelu", {}, list(part.parameters())


def _fill(
    network: SFaceTorch, part: nn.Module | str, node: onnx.NodeProto, source: graphs.Graph, name: str
) -> list[str]:
    operator, wanted, tensors = _targets(network, part)
    if node.op_type != operator:
        raise _misfit(name, f"{node.output[0]} is a {node.op_type}, expected a {operator}")
    found = graphs.attributes(node)
    for key, value in wanted.items():
        default = 1 if key == "group" else None
        if not _same(found.get(key, default), value):
            raise _misfit(name, f"{node.output[0]} has {key} {found.get(key)}, expected {value}")
    keys = list(node.input[1:])
    if len(keys) != len(tensors) or any(key not in source.weights for key in keys):
        raise _misfit(name, f"{node.output[0]} reads {len(keys)} tensors, expected {len(tensors)} weights")
    for key, tensor in zip(keys, tensors, strict=True):
        values = torch.tensor(source.weights[key])
        values = values.reshape(-1) if operator == "PRelu" else values
        if values.shape != tensor.shape:
            raise _misfit(name, f"{key} has shape {tuple(values.shape)}, expected {tuple(tensor.shape)}")
        tensor.copy_(values)
    return keys


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, float):
        return found is not None and abs(float(found) - wanted) <= 1e-6 * max(1e-3, abs(wanted))
    return bool(found == wanted)


def _misfit(name: str, detail: str) -> ModelError:
    return ModelError(f"{name} is not an SFace network: {detail}", reason="model.refused")


class TorchSFaceEmbedder:
    """SFace whose gradients reach the pixels; safe to share between threads.

    The network is in evaluation mode and its weights are frozen, so that a backward pass writes to the
    pixels only.

    Args:
        card: The weights: the default card, or one with a file of the same structure.
        policy: Licence policy, ``research`` or ``commercial``.

    Raises:
        ModelError: Weights missing, refused, or of another structure.
    """

    def __init__(self, card: WeightCard = SFACE, *, policy: str | None = None) -> None:
        data, self.card = read_weights(card, policy=policy)
        network = SFaceTorch()
        load_onnx(network, dequantise(graphs.parse(data, name=card.name)), name=card.name)
        self.network = network.eval().requires_grad_(False)

    @property
    def taps(self) -> dict[str, tuple[int, ...]]:
        """The declared taps: name -> shape without the batch."""
        return dict(TAPS)

    def embed_tensor(self, pixels: Tensor) -> Tensor:
        """RGB float ``(N, 3, 112, 112)`` in 0..255 to raw embeddings ``(N, 128)``."""
        result: Tensor = self.network(pixels)
        return result

    def features(self, pixels: Tensor, *, taps: Sequence[str] = ()) -> dict[str, Tensor]:
        """See `SFaceTorch.features`."""
        return self.network.features(pixels, taps=taps)
