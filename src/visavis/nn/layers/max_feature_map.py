"""Max-feature-map: of two halves of the channels, the larger value of each pair."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def max_feature_map(x: Tensor) -> Tensor:
    """``y_k = max(x_k, x_(k + N))``; float ``(B, 2 N, ...)`` to ``(B, N, ...)``.

    Wu et al., A Light CNN for Deep Face Representation with Noisy Labels, 2018, eq. 1 (MFM 2/1). The gradient goes
    to the larger value; where both are equal it is halved (the paper gives it to the first).
    """
    first, second = torch.chunk(x, 2, dim=1)
    return torch.maximum(first, second)


def max_and_median_map(x: Tensor) -> Tensor:
    """Of three thirds of the channels, the largest value and the middle one: ``(B, 3 N, ...)`` to ``(B, 2 N, ...)``.

    Wu et al. 2018, eq. 2 (MFM 3/2): the largest values come first. The released networks do without it.
    """
    ordered = torch.stack(torch.chunk(x, 3, dim=1)).sort(0).values
    return torch.cat([ordered[2], ordered[1]], 1)


class MaxFeatureConvolution(nn.Module):
    """A convolution with bias to twice the channels, then `max_feature_map`; the size stays.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        side: Of the kernel, odd.
        padding: Half the kernel when omitted.
    """

    def __init__(self, inputs: int, outputs: int, *, side: int, padding: int | None = None) -> None:
        super().__init__()
        self.filter = nn.Conv2d(inputs, 2 * outputs, side, padding=side // 2 if padding is None else padding)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H, W)``."""
        return max_feature_map(self.filter(x))


class MaxFeatureLinear(nn.Module):
    """A linear layer to twice the values, then `max_feature_map`.

    Args:
        inputs: Values in.
        outputs: Values out.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.filter = nn.Linear(inputs, 2 * outputs)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs)`` to ``(B, outputs)``."""
        return max_feature_map(self.filter(x))
