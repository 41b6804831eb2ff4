"""Light CNN-v4: the fourth network of the Light CNN authors, in colour."""

from __future__ import annotations

from torch import Tensor, nn

from visavis.nn.backbones.backbone import Backbone, Keep, check_options
from visavis.nn.backbones.contracts import light_cnn_colour_contract
from visavis.nn.backbones.light_cnn import pyramid, residual_pairs, summed_pool
from visavis.nn.layers.max_feature_map import MaxFeatureConvolution


class LightCNNV4Backbone(Backbone):
    """Five 3 x 3 convolutions with 1, 2, 3 and 4 `ResidualPair` before the last four, pooled by maximum plus mean.

    Keys and start of AlfredXiangWu/LightCNN, ``light_cnn_v4.py`` of 2022; no paper. Single convolutions stand where
    Light CNN-29 has groups. The linear layer begins at Normal(0, 0.001). There is no classifier and no dropout.

    Args:
        size: Side of the input, a multiple of 16.
        dimension: Length of an embedding.

    Raises:
        UsageError: An option out of range.
    """

    def __init__(self, *, size: int = 128, dimension: int = 256) -> None:
        check_options(size=size, multiple=16, dimension=dimension)
        super().__init__()
        self.contract = light_cnn_colour_contract(size)
        self.dimension = dimension
        self.taps = pyramid(size, dimension)
        self.conv1 = MaxFeatureConvolution(3, 48, side=3)
        self.block1, self.conv2 = residual_pairs(48, count=1), MaxFeatureConvolution(48, 96, side=3)
        self.block2, self.conv3 = residual_pairs(96, count=2), MaxFeatureConvolution(96, 192, side=3)
        self.block3, self.conv4 = residual_pairs(192, count=3), MaxFeatureConvolution(192, 128, side=3)
        self.block4, self.conv5 = residual_pairs(128, count=4), MaxFeatureConvolution(128, 128, side=3)
        self.fc = nn.Linear(128 * (size // 16) ** 2, dimension)
        nn.init.normal_(self.fc.weight, std=0.001)

    def embed(self, x: Tensor, keep: Keep) -> Tensor:
        """See `Backbone.embed`."""
        stages: list[list[nn.Module]] = [
            [self.conv1],
            [self.block1, self.conv2],
            [self.block2, self.conv3],
            [self.block3, self.conv4, self.block4, self.conv5],
        ]
        value = x
        for number, parts in enumerate(stages, start=1):
            for part in parts:
                value = part(value)
            value = summed_pool(value)
            keep(f"stage{number}", value)
        result: Tensor = self.fc(value.flatten(1))
        return result

    def blocks(self) -> list[nn.Module]:
        """Residual pairs and the convolutions after them, in order."""
        return [
            *self.block1, self.conv2, *self.block2, self.conv3, *self.block3, self.conv4, *self.block4, self.conv5,
        ]  # fmt: skip
