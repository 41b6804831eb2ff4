"""Self-attention whose logits and weights can be looked at."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import pairwise

import torch
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Multi-head attention of tokens on each other, ``softmax(q k^T / sqrt(d)) v``, in float32 or better.

    Vaswani et al. 2017, eq. 1. The weights are always computed, so that looking at them changes nothing.

    Args:
        width: Length of a token.
        heads: Number of heads; divides ``width``.
        bias: Give queries, keys and values a bias.
    """

    def __init__(self, width: int, heads: int, *, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=bias)
        self.proj = nn.Linear(width, width)

    def position(self) -> Tensor | None:
        """What is added to the logits ``(heads, T, T)`` for where the tokens lie, or None."""
        return None

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Result, logits and weights.

        Args:
            x: Tokens ``(B, T, width)``.
            mask: Added to the logits; broadcasts to ``(B, heads, T, T)``.

        Returns:
            Tokens ``(B, T, width)``; logits as they enter the softmax and weights, both ``(B, heads, T, T)``.
        """
        batch, tokens, width = x.shape
        parts = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        with nullcontext() if x.is_meta else torch.autocast(x.device.type, enabled=False):
            query, key, value = parts.to(torch.promote_types(parts.dtype, torch.float32)).unbind(0)
            logits = (query * (width // self.heads) ** -0.5) @ key.transpose(-2, -1)
            for added in (self.position(), mask):
                logits = logits if added is None else logits + added
            weights = logits.softmax(dim=-1)
            result = (weights @ value).transpose(1, 2).reshape(batch, tokens, width)
        return self.proj(result.to(parts.dtype)), logits, weights


class Perceptron(nn.Module):
    """Linear, activation, linear, for each token.

    Args:
        width: Length of a token.
        hidden: Values between.
        activation: Between the two.
    """

    def __init__(self, width: int, hidden: int, *, activation: nn.Module) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.act = activation
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., width)`` to the same shape."""
        result: Tensor = self.fc2(self.act(self.fc1(x)))
        return result


class PatchEmbedding(nn.Module):
    """Square patches side by side, each a token.

    Args:
        width: Length of a token.
        patch: Side of a patch; what is left at the right and lower edge is not seen.
        normalised: Put a LayerNorm behind.
    """

    def __init__(self, width: int, *, patch: int, normalised: bool = False) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)
        self.norm: nn.Module = nn.LayerNorm(width) if normalised else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 3, H, W)`` to tokens ``(B, H // patch * (W // patch), width)``, row by row."""
        result: Tensor = self.norm(self.proj(x).flatten(2).transpose(1, 2))
        return result


class ConvolutionStem(nn.Module):
    """Tokens by 3 x 3 convolutions of stride 2 with BN and ReLU and one 1 x 1 convolution, in place of patches.

    Xiao et al. 2021, Early convolutions help transformers see better: trains faster and with less data. Channels
    double from layer to layer, up to ``width``.

    Args:
        width: Length of a token.
        patch: Pixels between two tokens; a power of two, 4 or more, that divides the sides of the input.
    """

    def __init__(self, width: int, *, patch: int) -> None:
        super().__init__()
        count = patch.bit_length() - 1
        channels = [3, *(-(-width // 2 ** (count - 1 - n)) for n in range(count))]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(channels):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        self.proj = nn.Sequential(*layers, nn.Conv2d(width, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 3, H, W)`` to tokens ``(B, H // patch * (W // patch), width)``, row by row."""
        result: Tensor = self.proj(x).flatten(2).transpose(1, 2)
        return result


def start_transformer(network: nn.Module) -> None:
    """Weights of all linear layers from a truncated normal of deviation 0.02, biases 0 (Touvron et al. 2021)."""
    for part in network.modules():
        if isinstance(part, nn.Linear):
            nn.init.trunc_normal_(part.weight, std=0.02)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
