"""The small network of the miniatures, and what is read off it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F


class SmallNet(nn.Module):
    """Convolutions of stride 2, each with batch normalisation and ReLU, and one linear layer.

    The ORL protocol: a 5 x 5 convolution to 8 channels, 3 x 3 ones to 16 and 32, 64 outputs for 24 x 20 pixels.

    Args:
        size: Height and width of the pictures.
        widths: Channels after each convolution; the first kernel is 5 x 5, the others 3 x 3.
        dimension: Length of an embedding.
    """

    def __init__(
        self, size: tuple[int, int] = (24, 20), *, widths: Sequence[int] = (8, 16, 32), dimension: int = 64
    ) -> None:
        super().__init__()
        height, width = size
        layers: list[nn.Module] = []
        before = 1
        for channels in widths:
            kernel = 3 if layers else 5
            layers += [nn.Conv2d(before, channels, kernel, stride=2, padding=kernel // 2, bias=False)]
            layers += [nn.BatchNorm2d(channels), nn.ReLU()]
            before, height, width = channels, (height + 1) // 2, (width + 1) // 2
        self.features = nn.Sequential(*layers)
        self.output = nn.Linear(before * height * width, dimension)

    def forward(self, pictures: Tensor) -> Tensor:
        """Raw embeddings ``(B, D)`` of float32 pictures ``(B, 1, H, W)`` in 0..1."""
        embeddings: Tensor = self.output(self.features(pictures).flatten(1))
        return embeddings


@torch.no_grad()
def unit_embeddings(net: nn.Module, pictures: NDArray[np.float32], *, batch: int = 256) -> NDArray[np.float32]:
    """Unit embeddings ``(N, D)`` in evaluation mode; the mode of the network is put back.

    Args:
        net: The network.
        pictures: float32 ``(N, 1, H, W)``.
        batch: Pictures at once.
    """
    mode = net.training
    net.eval()
    parts = [
        F.normalize(net(torch.from_numpy(np.ascontiguousarray(pictures[start : start + batch]))))
        for start in range(0, len(pictures), batch)
    ]
    net.train(mode)
    vectors: NDArray[np.float32] = torch.cat(parts).numpy()
    return vectors


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """One thread, and torch's generator at a seed, so that the same seed gives the same numbers; both are put back."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
