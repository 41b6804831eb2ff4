"""MobileNet v1 without pooling, the network of SFace, at any widths."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from visavis.errors import UsageError
from visavis.nn.backbones.backbone import EMBEDDING, Backbone, Keep, check_options
from visavis.nn.backbones.contracts import sface_contract
from visavis.nn.layers.prelu import PReLU

STAGES = 14
HALVED = (3, 5, 7, 13)
"""Stages, counted from 1, that halve the map."""

_UNIT_EPSILON = 1e-3
_LAST_EPSILON = 2e-5


class Stage(nn.Module):
    """A depthwise 3 x 3 and a pointwise convolution, each with BN and PReLU.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        stride: Of the depthwise convolution.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.depthwise = _unit(inputs, inputs, side=3, stride=stride, groups=inputs)
        self.pointwise = _unit(inputs, outputs, side=1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H / stride, W / stride)``."""
        result: Tensor = self.pointwise(self.depthwise(x))
        return result


class MobileNetBackbone(Backbone):
    """Howard et al. 2017, MobileNets, as SFace (Zhong et al. 2021) uses it in OpenCV Zoo.

    A 3 x 3 convolution, thirteen pairs of a depthwise and a pointwise one, the map halved by the stages 3, 5, 7 and 13
    alone, then BN, a linear layer over the whole map, and BN. SFace has the widths 32, 64, 128, 128, 256, 256, 6 x 512,
    1024, 1024. Kaiming-normal start (fan in).

    Args:
        widths: Channels behind each of the 14 stages.
        size: Side of the input, a multiple of 16.
        dimension: Length of an embedding.

    Raises:
        UsageError: An option out of range.
    """

    def __init__(self, widths: tuple[int, ...], /, *, size: int = 112, dimension: int = 128) -> None:
        check_options(size=size, multiple=16, dimension=dimension)
        if len(widths) != STAGES or min(widths) < 1:
            raise UsageError(f"widths are {STAGES} numbers of 1 or more; got {widths}")
        super().__init__()
        self.contract = sface_contract(size)
        self.dimension = dimension
        self.widths = tuple(widths)
        self.stages = nn.ModuleList([_unit(3, widths[0], side=3)])
        taps: dict[str, tuple[int, ...]] = {"stage1": (widths[0], size, size)}
        side = size
        for number in range(2, STAGES + 1):
            stride = 2 if number in HALVED else 1
            side //= stride
            self.stages.append(Stage(widths[number - 2], widths[number - 1], stride=stride))
            taps[f"stage{number}"] = (widths[number - 1], side, side)
        self.taps = {**taps, EMBEDDING: (dimension,)}
        self.norm = nn.BatchNorm2d(widths[-1], eps=_LAST_EPSILON)
        self.fc = nn.Linear(widths[-1] * side * side, dimension)
        self.features_norm = nn.BatchNorm1d(dimension, eps=_LAST_EPSILON)
        for part in self.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(part.weight, mode="fan_in", nonlinearity="relu")

    def embed(self, x: Tensor, keep: Keep) -> Tensor:
        """See `Backbone.embed`."""
        value = x
        for number, stage in enumerate(self.stages, start=1):
            value = stage(value)
            keep(f"stage{number}", value)
        result: Tensor = self.features_norm(self.fc(self.norm(value).flatten(1)))
        return result

    def blocks(self) -> list[nn.Module]:
        """The first convolution and every pair."""
        return list(self.stages)


def _unit(inputs: int, outputs: int, *, side: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, side, stride, side // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs, eps=_UNIT_EPSILON), PReLU(outputs))


mobilenet_slim = partial(MobileNetBackbone, (12, 24, 48, 48, 96, 96, 192, 192, 192, 192, 192, 192, 384, 384))
