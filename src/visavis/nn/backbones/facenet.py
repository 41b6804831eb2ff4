"""The Inception network of FaceNet: NN2 and its smaller inputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visavis.nn.backbones.backbone import EMBEDDING, Backbone, Keep, check_options
from visavis.nn.backbones.contracts import facenet_contract

_SMALLEST = 1e-12


def l2_pool(x: Tensor) -> Tensor:
    """Root of the sum of squares over 3 x 3 pixels, zeros around, stride 1; float ``(B, C, H, W)`` to the same.

    Schroff et al. 2015, table 2 ("L2"). Sums below 1e-12 count as that, so that the gradient is finite.
    """
    return (F.avg_pool2d(x * x, 3, 1, 1) * 9.0).clamp_min(_SMALLEST).sqrt()


@dataclass(frozen=True, slots=True)
class InceptionRow:
    """One row of table 2 of Schroff et al. 2015; 0 leaves a branch out.

    Attributes:
        one: Outputs of the 1 x 1 branch.
        three: Outputs of the reduction and of the 3 x 3 convolution.
        five: Outputs of the reduction and of the 5 x 5 convolution.
        pool: Outputs of the 1 x 1 convolution behind the pooling; 0 passes the pooled map on as it is.
        root: Pool by `l2_pool`, else by the maximum.
        stride: Of the last convolutions and the pooling.
    """

    one: int
    three: tuple[int, int]
    five: tuple[int, int]
    pool: int
    root: bool = True
    stride: int = 1

    def outputs(self, inputs: int) -> int:
        """Channels of all branches together."""
        return self.one + self.three[1] + self.five[1] + (self.pool or inputs)


_ROWS = {
    "3a": InceptionRow(64, (96, 128), (16, 32), 32, root=False),
    "3b": InceptionRow(64, (96, 128), (32, 64), 64),
    "3c": InceptionRow(0, (128, 256), (32, 64), 0, root=False, stride=2),
    "4a": InceptionRow(256, (96, 192), (32, 64), 128),
    "4b": InceptionRow(224, (112, 224), (32, 64), 128),
    "4c": InceptionRow(192, (128, 256), (32, 64), 128),
    "4d": InceptionRow(160, (144, 288), (32, 64), 128),
    "4e": InceptionRow(0, (160, 256), (64, 128), 0, root=False, stride=2),
    "5a": InceptionRow(384, (192, 384), (48, 128), 128),
    "5b": InceptionRow(384, (192, 384), (48, 128), 128, root=False),
}
_LOWER = ("3a", "3b", "3c")


class Inception(nn.Module):
    """The branches of a row side by side, ReLU after every convolution, BN before it when asked for."""

    def __init__(self, inputs: int, row: InceptionRow, *, batch_norm: bool) -> None:
        super().__init__()
        self.row = row
        unit = partial(rectified, batch_norm=batch_norm)
        self.branches = nn.ModuleDict()
        if row.one:
            self.branches["one"] = unit(inputs, row.one)
        self.branches["three"] = nn.Sequential(
            unit(inputs, row.three[0]), unit(row.three[0], row.three[1], side=3, stride=row.stride)
        )
        if row.five[1]:
            self.branches["five"] = nn.Sequential(
                unit(inputs, row.five[0]), unit(row.five[0], row.five[1], side=5, stride=row.stride)
            )
        self.project: nn.Module = unit(inputs, row.pool) if row.pool else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, row.outputs(inputs), H / stride, W / stride)``."""
        pooled = l2_pool(x) if self.row.root else F.max_pool2d(x, 3, self.row.stride, 1)
        return torch.cat([*(branch(x) for branch in self.branches.values()), self.project(pooled)], dim=1)


def rectified(inputs: int, outputs: int, *, side: int = 1, stride: int = 1, batch_norm: bool = False) -> nn.Sequential:
    """A convolution, BN when asked for, ReLU; He et al. 2015 start."""
    convolution = nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=not batch_norm)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    return nn.Sequential(convolution, *([nn.BatchNorm2d(outputs)] if batch_norm else []), nn.ReLU())


class FaceNetBackbone(Backbone):
    """Schroff et al., FaceNet, 2015, table 2 (NN2): Inception with L2 pooling, mean, 128 values.

    NN3 is NN2 with crops of 160 pixels, NN4 with crops of 96 and no 5 x 5 convolutions in the upper stages. There
    are no released weights, so that the keys are ours. The paper names no batch normalisation; public re-trainings
    put it in, and from scratch on little data it is needed. The paper divides the embedding by its length; here it
    is raw. Local response normalisation as in GoogLeNet (5 channels, alpha 1e-4, beta 0.75): the paper gives none.

    Args:
        narrow: Leave the 5 x 5 convolutions of stages 4 and 5 out.
        size: Side of the input, a multiple of 32; 224, 160 and 96 in the paper.
        dimension: Length of an embedding; 128 in the paper.
        batch_norm: BN between convolution and ReLU.

    Raises:
        UsageError: An option out of range.
    """

    def __init__(
        self, narrow: bool = False, /, *, size: int = 224, dimension: int = 128, batch_norm: bool = False
    ) -> None:
        check_options(size=size, multiple=32, dimension=dimension)
        super().__init__()
        self.contract = facenet_contract(size)
        self.dimension = dimension
        unit = partial(rectified, batch_norm=batch_norm)
        self.conv1 = unit(3, 64, side=7, stride=2)
        self.inception2 = nn.Sequential(unit(64, 64), unit(64, 192, side=3))
        self.norm = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75)
        channels, side = 192, size // 8
        self.rows = nn.ModuleDict()
        self.taps = {"stage1": (64, size // 4, size // 4), "stage2": (192, side, side)}
        for name, row in _ROWS.items():
            used = replace(row, five=(0, 0)) if narrow and name not in _LOWER else row
            self.rows[name] = Inception(channels, used, batch_norm=batch_norm)
            channels, side = used.outputs(channels), side // used.stride
            self.taps[name] = (channels, side, side)
        self.taps[EMBEDDING] = (dimension,)
        self.fc = nn.Linear(channels, dimension)

    def embed(self, x: Tensor, keep: Keep) -> Tensor:
        """See `Backbone.embed`."""
        value = self.norm(F.max_pool2d(self.conv1(x), 3, 2, 1))
        keep("stage1", value)
        value = F.max_pool2d(self.norm(self.inception2(value)), 3, 2, 1)
        keep("stage2", value)
        for name, row in self.rows.items():
            value = row(value)
            keep(name, value)
        result: Tensor = self.fc(value.mean((2, 3)))
        return result

    def blocks(self) -> list[nn.Module]:
        """The Inception modules, from 3a to 5b."""
        return list(self.rows.values())


facenet_nn2 = partial(FaceNetBackbone, False)
facenet_nn3 = partial(FaceNetBackbone, False, size=160)
facenet_nn4 = partial(FaceNetBackbone, True, size=96)
