"""Square windows of a map of tokens, and attention inside them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from visavis.nn.layers.attention import SelfAttention


def split_windows(x: Tensor, window: int) -> Tensor:
    """``(B, H, W, C)`` to ``(B * H / window * W / window, window * window, C)``, row by row, picture by picture."""
    height, width, channels = x.shape[1:]
    parts = x.view(-1, height // window, window, width // window, window, channels)
    return parts.transpose(2, 3).reshape(-1, window * window, channels)


def join_windows(x: Tensor, side: int, window: int) -> Tensor:
    """The inverse of `split_windows` for a square map; ``(B, side, side, C)``."""
    count = side // window
    parts = x.reshape(-1, count, count, window, window, x.shape[-1])
    return parts.transpose(2, 3).reshape(-1, side, side, x.shape[-1])


def shift_mask(side: int, window: int, shift: int) -> Tensor:
    """What is added to logits so that tokens of a shifted map see only those they lay beside before the shift.

    Liu et al. 2021, section 3.2 and figure 4.

    Returns:
        Float32 ``(windows, window**2, window**2)``: 0 inside a region, -100 across.
    """
    places = torch.arange(side)
    bands = (places >= side - window).long() + (places >= side - shift).long()
    regions = (3 * bands[:, None] + bands[None, :]).view(1, side, side, 1)
    cells = split_windows(regions, window).squeeze(-1)
    return torch.where(cells[:, :, None] == cells[:, None, :], 0.0, -100.0)


class WindowAttention(SelfAttention):
    """`SelfAttention` with a learnt bias for each offset between two tokens of a window. Liu et al. 2021, eq. 4.

    Args:
        width: Length of a token.
        heads: Attention heads.
        window: Side of a window in tokens.
    """

    offsets: Tensor

    def __init__(self, width: int, heads: int, *, window: int) -> None:
        super().__init__(width, heads, bias=True)
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        places = torch.cartesian_prod(torch.arange(window), torch.arange(window))
        steps = places[:, None] - places[None, :] + window - 1
        self.register_buffer("offsets", steps[..., 0] * (2 * window - 1) + steps[..., 1], persistent=False)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def position(self) -> Tensor:
        """The bias ``(heads, window**2, window**2)``."""
        return self.relative_position_bias_table[self.offsets].permute(2, 0, 1)
