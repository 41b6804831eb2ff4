"""The classifier of the noisy-label miniature, with max-feature-map or ReLU, its training and what it believes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from visavis.nn.layers.max_feature_map import MaxFeatureConvolution, MaxFeatureLinear
from visavis.systems._noisy_labels import NoisySetting, Part
from visavis.systems._small_training import augment

Loss = Callable[[Tensor, Tensor], Tensor]
"""Logits ``(B, C)`` and labels ``(B,)`` to a scalar."""


class SmallClassifier(nn.Module):
    """Convolutions, each with an activation and max pooling, a linear layer with it, dropout 0.5, a linear classifier.

    Args:
        setting: Sizes; the first kernel is 5 x 5, the others 3 x 3.
        classes: Number of classes.
        max_feature: Max-feature-map; else ReLU at the same output widths, with half the weights.
    """

    def __init__(self, setting: NoisySetting, classes: int, *, max_feature: bool = True) -> None:
        super().__init__()
        (height, width), before = setting.size, 1
        layers: list[nn.Module] = []
        for channels in setting.widths:
            side = 3 if layers else 5
            layers += (
                [MaxFeatureConvolution(before, channels, side=side)]
                if max_feature
                else [nn.Conv2d(before, channels, side, padding=side // 2), nn.ReLU()]
            )
            layers += [nn.MaxPool2d(2, ceil_mode=True)]
            before, height, width = channels, (height + 1) // 2, (width + 1) // 2
        values = before * height * width
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.embedding = (
            MaxFeatureLinear(values, setting.dimension)
            if max_feature
            else nn.Sequential(nn.Linear(values, setting.dimension), nn.ReLU())
        )
        self.classifier = nn.Sequential(nn.Dropout(0.5), nn.Linear(setting.dimension, classes))

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits ``(B, C)`` of float32 pictures ``(B, 1, H, W)`` in 0..1."""
        logits: Tensor = self.classifier(self.embedding(self.features(2 * pictures - 1)))
        return logits


def train_classifier(
    setting: NoisySetting,
    part: Part,
    labels: NDArray[np.int64],
    *,
    classes: int,
    seed: tuple[int, ...],
    loss: Loss = F.cross_entropy,
    max_feature: bool = True,
) -> SmallClassifier:
    """A classifier from scratch, by Adam, on augmented pictures in shuffled order.

    Args:
        setting: Sizes and length.
        part: The pictures.
        labels: int64 ``(N,)`` to train on; pictures with -1 are left out.
        classes: Number of classes.
        seed: Of the start, the order and the augmentation.
        loss: Of the logits.
        max_feature: See `SmallClassifier`.
    """
    torch.manual_seed(seed[0])
    net = SmallClassifier(setting, classes, max_feature=max_feature).train()
    optimiser = torch.optim.Adam(net.parameters(), lr=setting.rate)
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(labels >= 0)
    queue = np.empty(0, np.int64)
    for _ in range(setting.steps if len(rows) else 0):
        while len(queue) < setting.batch:
            queue = np.concatenate([queue, rng.permutation(rows)])
        chosen, queue = queue[: setting.batch], queue[setting.batch :]
        pictures = torch.from_numpy(augment(part.pixels[chosen], rng))
        optimiser.zero_grad(set_to_none=True)
        loss(net(pictures), torch.from_numpy(labels[chosen])).backward()
        optimiser.step()
    return net.eval()


@torch.no_grad()
def believed(net: SmallClassifier, pixels: NDArray[np.float32]) -> Tensor:
    """Softmax outputs ``(N, C)``."""
    return torch.cat(
        [net(torch.from_numpy(part)).softmax(1) for part in np.array_split(pixels, -(-len(pixels) // 256))]
    )
