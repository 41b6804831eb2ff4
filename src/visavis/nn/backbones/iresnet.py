"""iResNet: the residual network of ArcFace and most recognisers since."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from visavis.nn.backbones.backbone import EMBEDDING, Backbone, Keep, check_options
from visavis.nn.backbones.contracts import arcface_contract
from visavis.nn.layers.prelu import PReLU

_WIDTHS = (64, 128, 256, 512)


class IResNetBlock(nn.Module):
    """BN, 3 x 3, BN, PReLU, 3 x 3 with the stride, BN, plus the input; no activation after the sum.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        stride: Of the second convolution; with a stride the input passes a 1 x 1 convolution and BN.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.prelu = PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H / stride, W / stride)``."""
        value = self.conv1(self.bn1(x))
        value = self.conv2(self.prelu(self.bn2(value)))
        same = x if self.downsample is None else self.downsample(x)
        result: Tensor = self.bn3(value) + same
        return result


class IResNetBackbone(Backbone):
    """A 3 x 3 stem, four stages of `IResNetBlock` that halve the picture each, BN, dropout, linear, BN.

    Deng et al., ArcFace, 2019, section 3.2 ("improved" residual unit of Han et al. 2017, output setting E);
    structure, initialisation and keys as in insightface ``arcface_torch`` and ElasticFace: convolutions from
    Normal(0, 0.1), the weight of the last BN held at 1. Paper: 112 pixels, 512 values, dropout 0.4 on small
    data, 0 on large.

    Args:
        layers: Blocks of each stage.
        size: Side of the input, a multiple of 16.
        dimension: Length of an embedding.
        dropout: Before the linear layer.

    Attributes:
        neck: The last BN; ``features`` in released checkpoints.

    Raises:
        UsageError: An option out of range.
    """

    released: Mapping[str, str] = {"neck.": "features."}

    def __init__(
        self, layers: tuple[int, int, int, int], /, *, size: int = 112, dimension: int = 512, dropout: float = 0.0
    ) -> None:
        check_options(size=size, multiple=16, dimension=dimension, dropout=dropout)
        super().__init__()
        self.contract = arcface_contract(size)
        self.dimension = dimension
        shapes = {f"stage{n}": (width, size >> n, size >> n) for n, width in enumerate(_WIDTHS, start=1)}
        self.taps = {**shapes, EMBEDDING: (dimension,)}
        self.conv1 = nn.Conv2d(3, _WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTHS[0])
        self.prelu = PReLU(_WIDTHS[0])
        inputs = (_WIDTHS[0], *_WIDTHS[:-1])
        self.layer1, self.layer2, self.layer3, self.layer4 = map(_stage, inputs, _WIDTHS, layers)
        self.bn2 = nn.BatchNorm2d(_WIDTHS[-1])
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(_WIDTHS[-1] * (size // 16) ** 2, dimension)
        self.neck = nn.BatchNorm1d(dimension)
        self.neck.weight.requires_grad_(False)
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.normal_(part.weight, 0.0, 0.1)

    def embed(self, x: Tensor, keep: Keep) -> Tensor:
        """See `Backbone.embed`."""
        value = self.prelu(self.bn1(self.conv1(x)))
        for number, stage in enumerate((self.layer1, self.layer2, self.layer3, self.layer4), start=1):
            value = stage(value)
            keep(f"stage{number}", value)
        result: Tensor = self.neck(self.fc(self.dropout(torch.flatten(self.bn2(value), 1))))
        return result

    def blocks(self) -> list[nn.Module]:
        """Every residual block, from the first stage to the last."""
        return [*self.layer1, *self.layer2, *self.layer3, *self.layer4]


def _stage(inputs: int, outputs: int, count: int) -> nn.Sequential:
    first = IResNetBlock(inputs, outputs, stride=2)
    return nn.Sequential(first, *(IResNetBlock(outputs, outputs, stride=1) for _ in range(count - 1)))


iresnet18 = partial(IResNetBackbone, (2, 2, 2, 2))
iresnet34 = partial(IResNetBackbone, (3, 4, 6, 3))
iresnet50 = partial(IResNetBackbone, (3, 4, 14, 3))
iresnet100 = partial(IResNetBackbone, (3, 13, 30, 3))
iresnet200 = partial(IResNetBackbone, (6, 26, 60, 6))
