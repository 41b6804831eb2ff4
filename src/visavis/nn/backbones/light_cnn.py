"""Light CNN: small grey networks whose activation is the larger of two channels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from visavis.nn.backbones.backbone import EMBEDDING, Backbone, Keep, check_options
from visavis.nn.backbones.contracts import light_cnn_contract
from visavis.nn.layers.max_feature_map import MaxFeatureConvolution, MaxFeatureLinear

_WIDTHS = (48, 96, 192, 128)


class Group(nn.Module):
    """A 1 x 1 and a 3 x 3 convolution, each with max-feature-map."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv_a = MaxFeatureConvolution(inputs, inputs, side=1)
        self.conv = MaxFeatureConvolution(inputs, outputs, side=3)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H, W)``."""
        result: Tensor = self.conv(self.conv_a(x))
        return result


class ResidualPair(nn.Module):
    """Two 3 x 3 convolutions with max-feature-map plus the input; nothing after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = MaxFeatureConvolution(channels, channels, side=3)
        self.conv2 = MaxFeatureConvolution(channels, channels, side=3)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, channels, H, W)`` to the same shape."""
        result: Tensor = self.conv2(self.conv1(x)) + x
        return result


class LightCNN4Backbone(Backbone):
    """Four unpadded convolutions (9, 5, 5 and 4 pixels), each with max-feature-map and pooling, and a linear layer.

    Wu et al. 2018, table 1, as the authors' Caffe file A: Xavier start with biases of 0.1, dropout 0.7 on the
    embedding. There is no released torch file, so that the keys are ours.

    Args:
        size: Side of the input; at least 92.
        dimension: Length of an embedding.
        dropout: On the embedding, in training.

    Raises:
        UsageError: An option out of range.
    """

    def __init__(self, *, size: int = 128, dimension: int = 256, dropout: float = 0.7) -> None:
        check_options(size=size, multiple=1, smallest=92, dimension=dimension, dropout=dropout)
        super().__init__()
        self.contract = light_cnn_contract(size)
        self.dimension = dimension
        channels, kernels = (1, 48, 96, 128, 192), (9, 5, 5, 4)
        self.stages = nn.ModuleList(
            MaxFeatureConvolution(inputs, outputs, side=kernel, padding=0)
            for inputs, outputs, kernel in zip(channels[:-1], channels[1:], kernels, strict=True)
        )
        self.taps, side = {}, size
        for number, kernel in enumerate(kernels, start=1):
            side = (side - kernel + 2) // 2
            self.taps[f"stage{number}"] = (channels[number], side, side)
        self.taps[EMBEDDING] = (dimension,)
        self.fc1 = MaxFeatureLinear(channels[-1] * side**2, dimension)
        self.dropout = nn.Dropout(dropout)
        for part in self.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(part.weight)
                if part.bias is not None:
                    nn.init.constant_(part.bias, 0.1)

    def embed(self, x: Tensor, keep: Keep) -> Tensor:
        """See `Backbone.embed`."""
        value = x
        for number, stage in enumerate(self.stages, start=1):
            value = F.max_pool2d(stage(value), 2, ceil_mode=True)
            keep(f"stage{number}", value)
        result: Tensor = self.dropout(self.fc1(value.flatten(1)))
        return result

    def blocks(self) -> list[nn.Module]:
        """The four convolutions."""
        return list(self.stages)


class LightCNN9Backbone(Backbone):
    """A 5 x 5 convolution and four `Group`, pooled four times, and a linear layer with max-feature-map.

    Wu et al. 2018, table 2; keys and start of AlfredXiangWu/LightCNN, whose classifier ``fc2`` is not part of it.

    Args:
        size: Side of the input, a multiple of 16.
        dimension: Length of an embedding.
        dropout: On the embedding, in training.

    Attributes:
        trunk: Convolutions and poolings; ``features`` in released checkpoints.

    Raises:
        UsageError: An option out of range.
    """

    released: Mapping[str, str] = {"trunk.": "features."}

    def __init__(self, *, size: int = 128, dimension: int = 256, dropout: float = 0.5) -> None:
        check_options(size=size, multiple=16, dimension=dimension, dropout=dropout)
        super().__init__()
        self.contract = light_cnn_contract(size)
        self.dimension = dimension
        self.taps = pyramid(size, dimension)
        self.trunk = nn.Sequential(
            MaxFeatureConvolution(1, 48, side=5),
            nn.MaxPool2d(2, ceil_mode=True),
            Group(48, 96),
            nn.MaxPool2d(2, ceil_mode=True),
            Group(96, 192),
            nn.MaxPool2d(2, ceil_mode=True),
            Group(192, 128),
            Group(128, 128),
            nn.MaxPool2d(2, ceil_mode=True),
        )
        self.fc1 = MaxFeatureLinear(128 * (size // 16) ** 2, dimension)
        self.dropout = nn.Dropout(dropout)

    def embed(self, x: Tensor, keep: Keep) -> Tensor:
        """See `Backbone.embed`."""
        value, stage = x, 0
        for part in self.trunk:
            value = part(value)
            if isinstance(part, nn.MaxPool2d):
                stage += 1
                keep(f"stage{stage}", value)
        result: Tensor = self.dropout(self.fc1(value.flatten(1)))
        return result

    def blocks(self) -> list[nn.Module]:
        """The four groups."""
        return [part for part in self.trunk if isinstance(part, Group)]


class LightCNN29Backbone(Backbone):
    """`LightCNN9Backbone` with 1, 2, 3 and 4 `ResidualPair` before its groups.

    Wu et al. 2018, table 3; keys and start of AlfredXiangWu/LightCNN, whose classifier ``fc2`` is not part of it.
    The second version of its authors pools by the sum of maximum and mean, and ends in a plain linear layer.

    Args:
        second: The second version.
        size: Side of the input, a multiple of 16.
        dimension: Length of an embedding.
        dropout: On the embedding, in training; the authors' 0.5 in the first version, none in the second.

    Raises:
        UsageError: An option out of range.
    """

    def __init__(self, second: bool, /, *, size: int = 128, dimension: int = 256, dropout: float | None = None) -> None:
        share = (0.0 if second else 0.5) if dropout is None else dropout
        check_options(size=size, multiple=16, dimension=dimension, dropout=share)
        super().__init__()
        self.contract = light_cnn_contract(size)
        self.dimension = dimension
        self.taps = pyramid(size, dimension)
        self.second = second
        self.conv1 = MaxFeatureConvolution(1, _WIDTHS[0], side=5)
        self.block1, self.group1 = residual_pairs(48, count=1), Group(48, 96)
        self.block2, self.group2 = residual_pairs(96, count=2), Group(96, 192)
        self.block3, self.group3 = residual_pairs(192, count=3), Group(192, 128)
        self.block4, self.group4 = residual_pairs(128, count=4), Group(128, 128)
        values = _WIDTHS[-1] * (size // 16) ** 2
        self.fc = nn.Linear(values, dimension) if second else MaxFeatureLinear(values, dimension)
        self.dropout = nn.Dropout(share)

    def embed(self, x: Tensor, keep: Keep) -> Tensor:
        """See `Backbone.embed`."""
        stages: list[list[nn.Module]] = [
            [self.conv1],
            [self.block1, self.group1],
            [self.block2, self.group2],
            [self.block3, self.group3, self.block4, self.group4],
        ]
        value = x
        for number, parts in enumerate(stages, start=1):
            for part in parts:
                value = part(value)
            value = summed_pool(value) if self.second else F.max_pool2d(value, 2)
            keep(f"stage{number}", value)
        result: Tensor = self.dropout(self.fc(value.flatten(1)))
        return result

    def blocks(self) -> list[nn.Module]:
        """Residual pairs and groups, in order."""
        return [
            *self.block1, self.group1, *self.block2, self.group2, *self.block3, self.group3, *self.block4, self.group4,
        ]  # fmt: skip


def summed_pool(x: Tensor) -> Tensor:
    """``(B, C, H, W)`` to half the sides: the maximum of each 2 x 2 block plus its mean."""
    return F.max_pool2d(x, 2) + F.avg_pool2d(x, 2)


def residual_pairs(channels: int, *, count: int) -> nn.Sequential:
    """So many `ResidualPair`, one after the other."""
    return nn.Sequential(*(ResidualPair(channels) for _ in range(count)))


def pyramid(size: int, dimension: int) -> dict[str, tuple[int, ...]]:
    """The taps of networks that are pooled four times."""
    stages = {f"stage{n}": (width, size >> n, size >> n) for n, width in enumerate(_WIDTHS, start=1)}
    return {**stages, EMBEDDING: (dimension,)}


light_cnn_29 = partial(LightCNN29Backbone, False)
light_cnn_29v2 = partial(LightCNN29Backbone, True)
