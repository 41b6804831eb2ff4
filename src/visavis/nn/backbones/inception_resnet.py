"""Inception-ResNet-v1: the network of the public FaceNet weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visavis.nn.backbones.backbone import EMBEDDING, Backbone, Keep, check_options
from visavis.nn.backbones.contracts import facenet_contract


class RectifiedConvolution(nn.Module):
    """A convolution without bias, BN (epsilon 0.001), ReLU.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        side: Of the kernel, or its height and width.
        stride: Of the convolution.
        same: Pad so that a stride of 1 keeps the size.
    """

    def __init__(
        self, inputs: int, outputs: int, side: int | tuple[int, int] = 1, *, stride: int = 1, same: bool = True
    ) -> None:
        super().__init__()
        kernel = side if isinstance(side, tuple) else (side, side)
        padding = (kernel[0] // 2, kernel[1] // 2) if same else (0, 0)
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H', W')``."""
        return F.relu(self.bn(self.conv(x)))


class InceptionResidual(nn.Module):
    """Branches side by side, a 1 x 1 convolution, a scale, plus the input.

    Args:
        channels: In and out.
        branches: As named in the released keys.
        joined: Channels of all branches together.
        scale: Of what is added to the input.
        rectified: ReLU after the sum.
    """

    def __init__(
        self, channels: int, branches: list[nn.Module], *, joined: int, scale: float, rectified: bool = True
    ) -> None:
        super().__init__()
        self.names = [f"branch{number}" for number in range(len(branches))]
        for name, branch in zip(self.names, branches, strict=True):
            self.add_module(name, branch)
        self.conv2d = nn.Conv2d(joined, channels, 1)
        self.scale, self.rectified = scale, rectified

    def forward(self, x: Tensor) -> Tensor:
        """``(B, channels, H, W)`` to the same shape."""
        joined = torch.cat([self.get_submodule(name)(x) for name in self.names], dim=1)
        value: Tensor = self.conv2d(joined) * self.scale + x
        return F.relu(value) if self.rectified else value


class InceptionReduction(nn.Module):
    """Branches with stride 2 and a max pooling side by side."""

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.names = [f"branch{number}" for number in range(len(branches))]
        for name, branch in zip(self.names, branches, strict=True):
            self.add_module(name, branch)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, C', (H - 1) // 2, (W - 1) // 2)``."""
        return torch.cat([*(self.get_submodule(name)(x) for name in self.names), F.max_pool2d(x, 3, 2)], dim=1)


def _block35() -> InceptionResidual:
    one = RectifiedConvolution
    branches = [
        one(256, 32),
        nn.Sequential(one(256, 32), one(32, 32, 3)),
        nn.Sequential(one(256, 32), one(32, 32, 3), one(32, 32, 3)),
    ]
    return InceptionResidual(256, branches, joined=96, scale=0.17)


def _block17() -> InceptionResidual:
    one = RectifiedConvolution
    branches = [one(896, 128), nn.Sequential(one(896, 128), one(128, 128, (1, 7)), one(128, 128, (7, 1)))]
    return InceptionResidual(896, branches, joined=256, scale=0.10)


def _block8(scale: float = 0.20, *, rectified: bool = True) -> InceptionResidual:
    one = RectifiedConvolution
    branches = [one(1792, 192), nn.Sequential(one(1792, 192), one(192, 192, (1, 3)), one(192, 192, (3, 1)))]
    return InceptionResidual(1792, branches, joined=384, scale=scale, rectified=rectified)


class InceptionResNetBackbone(Backbone):
    """Szegedy et al., Inception-v4, Inception-ResNet, 2017, figures 10-16, with the sizes of davidsandberg/facenet.

    5, 10 and 5 residual blocks with scales 0.17, 0.10 and 0.20, one block without ReLU, mean, dropout, linear
    without bias, BN. Keys of facenet-pytorch; its classifier ``logits`` is not part of it, and the embedding is
    raw (facenet-pytorch divides it by its length).

    Args:
        size: Side of the input, at least 75; 160 in the released weights.
        dimension: Length of an embedding.
        dropout: Before the linear layer; 0.6 in the released code.

    Raises:
        UsageError: An option out of range.
    """

    def __init__(self, *, size: int = 160, dimension: int = 512, dropout: float = 0.6) -> None:
        check_options(size=size, multiple=1, smallest=75, dimension=dimension, dropout=dropout)
        super().__init__()
        self.contract = facenet_contract(size)
        self.dimension = dimension
        sides = [((((size - 1) // 2 - 3) // 2 - 2) - 1) // 2]
        sides += [(sides[0] - 1) // 2, ((sides[0] - 1) // 2 - 1) // 2]
        widths = (256, 896, 1792)
        stages = {f"stage{n}": (c, s, s) for n, (c, s) in enumerate(zip(widths, sides, strict=True), start=1)}
        self.taps = {**stages, EMBEDDING: (dimension,)}
        one = RectifiedConvolution
        self.conv2d_1a = one(3, 32, 3, stride=2, same=False)
        self.conv2d_2a = one(32, 32, 3, same=False)
        self.conv2d_2b = one(32, 64, 3)
        self.conv2d_3b = one(64, 80)
        self.conv2d_4a = one(80, 192, 3, same=False)
        self.conv2d_4b = one(192, 256, 3, stride=2, same=False)
        self.repeat_1 = nn.Sequential(*(_block35() for _ in range(5)))
        self.mixed_6a = InceptionReduction(
            [
                one(256, 384, 3, stride=2, same=False),
                nn.Sequential(one(256, 192), one(192, 192, 3), one(192, 256, 3, stride=2, same=False)),
            ]
        )
        self.repeat_2 = nn.Sequential(*(_block17() for _ in range(10)))
        self.mixed_7a = InceptionReduction(
            [
                nn.Sequential(one(896, 256), one(256, 384, 3, stride=2, same=False)),
                nn.Sequential(one(896, 256), one(256, 256, 3, stride=2, same=False)),
                nn.Sequential(one(896, 256), one(256, 256, 3), one(256, 256, 3, stride=2, same=False)),
            ]
        )
        self.repeat_3 = nn.Sequential(*(_block8() for _ in range(5)))
        self.block8 = _block8(1.0, rectified=False)
        self.dropout = nn.Dropout(dropout)
        self.last_linear = nn.Linear(1792, dimension, bias=False)
        self.last_bn = nn.BatchNorm1d(dimension, eps=0.001)

    def embed(self, x: Tensor, keep: Keep) -> Tensor:
        """See `Backbone.embed`."""
        value = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(x)))
        value = self.conv2d_4a(self.conv2d_3b(F.max_pool2d(value, 3, 2)))
        value = self.repeat_1(self.conv2d_4b(value))
        keep("stage1", value)
        value = self.repeat_2(self.mixed_6a(value))
        keep("stage2", value)
        value = self.block8(self.repeat_3(self.mixed_7a(value)))
        keep("stage3", value)
        result: Tensor = self.last_bn(self.last_linear(self.dropout(value.mean((2, 3)))))
        return result

    def blocks(self) -> list[nn.Module]:
        """The residual blocks and reductions, in order."""
        return [*self.repeat_1, self.mixed_6a, *self.repeat_2, self.mixed_7a, *self.repeat_3, self.block8]
