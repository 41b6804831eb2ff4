"""Perceptibility attention: which channels and which places of a feature map can be made out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from visavis.errors import UsageError


class PerceptibilityAttention(nn.Module):
    """A weight for each channel, then one for each place; after CBAM (Woo et al. 2018).

    ``a_c = sigmoid(MLP(avgpool F) + MLP(maxpool F))``, ``F' = a_c F``,
    ``a_s = sigmoid(conv7x7([mean_c F', max_c F']))``, and the map becomes ``a_s F'``. The last layers begin at 0, so
    that both weights are 1/2 everywhere.

    Args:
        channels: C.
        reduction: Channels by hidden values of the MLP.

    Raises:
        UsageError: A reduction below 1.
    """

    def __init__(self, channels: int, *, reduction: int = 16) -> None:
        super().__init__()
        if reduction < 1:
            raise UsageError(f"the reduction of channels is 1 or more; got {reduction}")
        hidden = max(1, channels // reduction)
        self.mlp = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False), nn.ReLU(), nn.Conv2d(hidden, channels, 1, bias=False)
        )
        self.place = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        for last in (self.mlp[2], self.place):
            nn.init.zeros_(last.weight)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """A map ``(B, C, h, w)`` to itself weighted, and the weights of the places ``(B, 1, h, w)`` in 0..1."""
        mean, most = features.mean((2, 3), keepdim=True), features.amax((2, 3), keepdim=True)
        seen = (self.mlp(mean) + self.mlp(most)).sigmoid() * features
        places = self.place(torch.cat([seen.mean(1, keepdim=True), seen.amax(1, keepdim=True)], 1)).sigmoid()
        return places * seen, places


class AttendedEmbedding(nn.Module):
    """`PerceptibilityAttention`, then one linear layer over the whole map.

    Args:
        shape: Of the map: channels, height, width.
        dimension: Length of an embedding.
        reduction: See `PerceptibilityAttention`.
    """

    def __init__(self, shape: tuple[int, int, int], dimension: int, *, reduction: int = 16) -> None:
        super().__init__()
        self.attention = PerceptibilityAttention(shape[0], reduction=reduction)
        self.fc = nn.Linear(shape[0] * shape[1] * shape[2], dimension)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """A map ``(B, C, h, w)`` to raw embeddings ``(B, D)`` and the weights of the places ``(B, 1, h, w)``."""
        attended, places = self.attention(features)
        return self.fc(attended.flatten(1)), places


class PerceptibilityRegressor(nn.Module):
    """Mean over the places of a map, dropout, one linear layer: a guess of the recognizability index.

    Args:
        channels: Of the map.
        dropout: Share of values dropped in training; 0.4 is a choice of this library.

    Raises:
        UsageError: A dropout out of range.
    """

    def __init__(self, channels: int, *, dropout: float = 0.4) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout is in [0, 1); got {dropout}")
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """A map ``(B, C, h, w)`` to ``(B,)``."""
        value: Tensor = self.fc(self.dropout(features.mean((2, 3))))[:, 0]
        return value
