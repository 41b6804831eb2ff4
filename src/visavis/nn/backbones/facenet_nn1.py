"""The first network of FaceNet, NN1: convolutions of Zeiler and Fergus with 1 x 1 ones between, two maxout layers."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from visavis.nn.backbones.backbone import EMBEDDING, Backbone, Keep, check_options
from visavis.nn.backbones.contracts import facenet_contract
from visavis.nn.backbones.facenet import rectified
from visavis.nn.layers.max_feature_map import max_feature_map

_STAGES = (((64, 192),), ((192, 384),), ((384, 256), (256, 256), (256, 256)))
"""By stage, the outputs of each 1 x 1 convolution and of the 3 x 3 one behind it; stages end with max pooling."""


class FaceNetNN1Backbone(Backbone):
    """Schroff et al., FaceNet, 2015, table 1 (NN1): 22 layers, 140 million parameters, 128 values.

    There are no released weights, so that the keys are ours. Local response normalisation as in `FaceNetBackbone`. The
    embedding is raw; the paper divides it by its length.

    Args:
        size: Side of the input, a multiple of 4; 220 in the paper.
        dimension: Length of an embedding; 128 in the paper.
        hidden: Outputs of each maxout layer, the larger of two linear ones; 32 x 128 in the paper.
        batch_norm: BN between convolution and ReLU.

    Raises:
        UsageError: An option out of range.
    """

    def __init__(
        self, *, size: int = 220, dimension: int = 128, hidden: int = 32 * 128, batch_norm: bool = False
    ) -> None:
        check_options(size=size, multiple=4, dimension=dimension, smallest=32)
        super().__init__()
        self.contract = facenet_contract(size)
        self.dimension = dimension
        unit = partial(rectified, batch_norm=batch_norm)
        self.conv1 = unit(3, 64, side=7, stride=2)
        self.norm = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75)
        channels, side = 64, size // 4
        self.taps = {"stage1": (channels, side, side)}
        self.stages = nn.ModuleList()
        for number, pairs in enumerate(_STAGES, start=2):
            layers: list[nn.Module] = []
            for narrow, wide in pairs:
                layers.append(nn.Sequential(unit(channels, narrow), unit(narrow, wide, side=3)))
                channels = wide
            self.stages.append(nn.Sequential(*layers))
            side = (side + 1) // 2
            self.taps[f"stage{number}"] = (channels, side, side)
        self.taps[EMBEDDING] = (dimension,)
        self.fc1 = nn.Linear(channels * side * side, 2 * hidden)
        self.fc2 = nn.Linear(hidden, 2 * hidden)
        self.fc = nn.Linear(hidden, dimension)

    def embed(self, x: Tensor, keep: Keep) -> Tensor:
        """See `Backbone.embed`."""
        value = self.norm(F.max_pool2d(self.conv1(x), 3, 2, 1))
        keep("stage1", value)
        for number, stage in enumerate(self.stages, start=2):
            value = stage(value)
            value = F.max_pool2d(self.norm(value) if number == 2 else value, 3, 2, 1)
            keep(f"stage{number}", value)
        value = max_feature_map(self.fc1(value.flatten(1)))
        result: Tensor = self.fc(max_feature_map(self.fc2(value)))
        return result

    def blocks(self) -> list[nn.Module]:
        """The pairs of a 1 x 1 and a 3 x 3 convolution."""
        return [pair for stage in self.stages for pair in stage]  # type: ignore[attr-defined]
