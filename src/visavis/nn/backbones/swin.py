"""The Swin transformer of face recognition: attention in windows that shift, on a map that shrinks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from visavis.errors import UsageError
from visavis.nn.backbones.backbone import EMBEDDING, Backbone, Keep, check_options
from visavis.nn.backbones.contracts import arcface_contract
from visavis.nn.layers.attention import PatchEmbedding, Perceptron, start_transformer
from visavis.nn.layers.drop_path import DropPath, increasing
from visavis.nn.layers.windows import WindowAttention, join_windows, shift_mask, split_windows


@dataclass(frozen=True, slots=True)
class SwinShape:
    """What makes one Swin transformer differ from another.

    Attributes:
        width: Length of a token in the first stage; doubled from stage to stage.
        depths: Blocks of each stage.
        heads: Attention heads of each stage.
        patch: Side of a patch.
        window: Side of a window, in tokens.
        positions: Whether learnt positions are added to the tokens.
        masked: Whether windows that a shift pieced together keep their pieces apart, as in the paper.
        head: ``mean``: mean of the tokens, linear, BN, linear, BN; ``all``: BN of all tokens, dropout, linear, BN.
    """

    width: int
    depths: tuple[int, ...]
    heads: tuple[int, ...]
    patch: int
    window: int
    positions: bool
    masked: bool
    head: Literal["mean", "all"]


class SwinBlock(nn.Module):
    """LayerNorm, attention in windows, sum; LayerNorm, perceptron with GELU, sum. Liu et al. 2021, eq. 3.

    Args:
        width: Length of a token.
        heads: Attention heads.
        side: Side of the map in tokens.
        window: Side of a window; the map is one window where it is smaller.
        shifted: Move the windows by half of one.
        masked: See `SwinShape`.
        drop: Rate of `DropPath`.
    """

    mask: Tensor | None

    def __init__(
        self, width: int, heads: int, *, side: int, window: int, shifted: bool, masked: bool, drop: float
    ) -> None:
        super().__init__()
        self.side = side
        self.window = min(side, window)
        self.shift = window // 2 if shifted and side > window else 0
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window=self.window)
        self.drop_path = DropPath(drop)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Perceptron(width, 4 * width, activation=nn.GELU())
        mask = shift_mask(side, self.window, self.shift) if masked and self.shift else None
        self.register_buffer("mask", mask, persistent=False)

    @property
    def windows(self) -> int:
        """Windows of one picture."""
        return (self.side // self.window) ** 2

    def forward(self, x: Tensor, keep: Keep, name: str) -> Tensor:
        """Tokens ``(B, side * side, width)`` to the same; hands its taps, which begin with ``name``, to ``keep``."""
        batch, count, width = x.shape
        value = self.norm1(x).view(batch, self.side, self.side, width)
        if self.shift:
            value = torch.roll(value, (-self.shift, -self.shift), (1, 2))
        mask = None if self.mask is None else self.mask.repeat(batch, 1, 1)[:, None]
        value, logits, weights = self.attn(split_windows(value, self.window), mask)
        keep(f"{name}.attn.logits", logits.unflatten(0, (batch, self.windows)))
        keep(f"{name}.attn.weights", weights.unflatten(0, (batch, self.windows)))
        value = join_windows(value, self.side, self.window)
        if self.shift:
            value = torch.roll(value, (self.shift, self.shift), (1, 2))
        value = x + self.drop_path(value.reshape(batch, count, width))
        result: Tensor = value + self.drop_path(self.mlp(self.norm2(value)))
        keep(name, result)
        return result


class PatchMerging(nn.Module):
    """Four neighbours in one token of twice the width: LayerNorm, linear without bias. Liu et al. 2021, 3.1."""

    def __init__(self, width: int, *, side: int) -> None:
        super().__init__()
        self.side = side
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)
        self.norm = nn.LayerNorm(4 * width)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, side * side, width)`` to ``(B, side * side / 4, 2 * width)``."""
        value = x.unflatten(1, (self.side, self.side))
        corners = [value[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        result: Tensor = self.reduction(self.norm(torch.cat(corners, dim=-1).flatten(1, 2)))
        return result


class SwinStage(nn.Module):
    """Blocks of one width, every second one shifted, and the merging that follows them unless it is the last."""

    def __init__(self, shape: SwinShape, number: int, *, side: int, drops: list[float]) -> None:
        super().__init__()
        width = shape.width << number
        self.blocks = nn.ModuleList(
            SwinBlock(
                width,
                shape.heads[number],
                side=side,
                window=shape.window,
                shifted=bool(place % 2),
                masked=shape.masked,
                drop=drop,
            )
            for place, drop in enumerate(drops)
        )
        last = number == len(shape.depths) - 1
        self.downsample = nn.Identity() if last else PatchMerging(width, side=side)


class SwinBackbone(Backbone):
    """Liu et al. 2021, as SwinFace (Qin et al. 2023) and PETALface (Narayan et al. 2025) train it for faces.

    ``swin-t`` is SwinFace's: patches of 2, width 96, windows of 7, mean of the tokens. ``swin-b`` is PETALface's
    ``swin_120``: patches of 6, width 384, windows of 5, learnt positions, all tokens in one row; its windows are
    not masked after a shift, because the released weights were trained so. Keys as there; ``attn_mask`` and
    ``relative_position_index`` of those files follow from the sizes and are not kept.

    Args:
        shape: Sizes of the network.
        size: Side of the input; the map of every stage but the last must have even sides that windows tile.
        dimension: Length of an embedding.
        drop_path: Stochastic depth of the last block.
        dropout: Before the linear layer of the ``all`` head; PETALface 0.25.

    Raises:
        UsageError: An option out of range.
    """

    def __init__(
        self,
        shape: SwinShape,
        /,
        *,
        size: int = 112,
        dimension: int = 512,
        drop_path: float = 0.1,
        dropout: float = 0.0,
    ) -> None:
        check_options(size=size, multiple=shape.patch, dimension=dimension, dropout=dropout)
        if not 0.0 <= drop_path < 1.0:
            raise UsageError(f"drop_path is in [0, 1); got {drop_path}")
        sides = _sides(shape, size)
        super().__init__()
        self.contract = arcface_contract(size)
        self.dimension = dimension
        self.taps = _taps(shape, sides, dimension)
        self.patch_embed = PatchEmbedding(shape.width, patch=shape.patch, normalised=True)
        if shape.positions:
            self.absolute_pos_embed = nn.Parameter(torch.empty(1, sides[0] ** 2, shape.width))
            nn.init.trunc_normal_(self.absolute_pos_embed, std=0.02)
        self.positions = shape.positions
        drops = increasing(drop_path, sum(shape.depths))
        starts = [sum(shape.depths[:number]) for number in range(len(shape.depths))]
        self.layers = nn.ModuleList(
            SwinStage(shape, number, side=side, drops=drops[start : start + depth])
            for number, (side, start, depth) in enumerate(zip(sides, starts, shape.depths, strict=True))
        )
        width = shape.width << (len(shape.depths) - 1)
        self.norm = nn.LayerNorm(width)
        self.mean = shape.head == "mean"
        if self.mean:
            self.feature = nn.Sequential(
                nn.Linear(width, width, bias=False),
                nn.BatchNorm1d(width, eps=2e-5),
                nn.Linear(width, dimension, bias=False),
                nn.BatchNorm1d(dimension, eps=2e-5),
            )
        else:
            values = width * sides[-1] ** 2
            self.feature_layer = nn.Sequential(
                nn.BatchNorm1d(values), nn.Dropout(dropout), nn.Linear(values, dimension), nn.BatchNorm1d(dimension)
            )
        start_transformer(self)

    def embed(self, x: Tensor, keep: Keep) -> Tensor:
        """See `Backbone.embed`."""
        value = self.patch_embed(x)
        if self.positions:
            value = value + self.absolute_pos_embed
        number = 0
        for place, stage in enumerate(self.layers, start=1):
            for block in stage.get_submodule("blocks").children():
                value = block(value, keep, f"blocks.{number}")
                number += 1
            keep(f"stage{place}", value)
            value = stage.get_submodule("downsample")(value)
        value = self.norm(value)
        keep("tokens", value)
        result: Tensor = self.feature(value.mean(1)) if self.mean else self.feature_layer(value.flatten(1))
        return result

    def blocks(self) -> list[nn.Module]:
        """Every transformer block, in order."""
        return [block for stage in self.layers for block in stage.get_submodule("blocks").children()]


def _sides(shape: SwinShape, size: int) -> list[int]:
    """Side of the map at each stage, in tokens."""
    sides = [size // shape.patch >> number for number in range(len(shape.depths))]
    tiled = all(side > 0 and (side <= shape.window or side % shape.window == 0) for side in sides)
    if size != shape.patch * sides[0] or sides[0] % (1 << len(sides) - 1) or not tiled:
        raise UsageError(
            f"a size of {size} gives maps of {', '.join(map(str, sides))} tokens; they must halve evenly and be tiled "
            f"by windows of {shape.window}: take {shape.patch * shape.window << len(sides) - 1}"
        )
    return sides


def _taps(shape: SwinShape, sides: list[int], dimension: int) -> dict[str, tuple[int, ...]]:
    taps: dict[str, tuple[int, ...]] = {}
    number = 0
    for stage, (side, depth, heads) in enumerate(zip(sides, shape.depths, shape.heads, strict=True)):
        window = min(side, shape.window)
        square = ((side // window) ** 2, heads, window**2, window**2)
        tokens = (side**2, shape.width << stage)
        for _ in range(depth):
            taps[f"blocks.{number}"] = tokens
            taps |= {f"blocks.{number}.attn.{part}": square for part in ("logits", "weights")}
            number += 1
        taps[f"stage{stage + 1}"] = tokens
    return {**taps, "tokens": tokens, EMBEDDING: (dimension,)}


swin_t = partial(
    SwinBackbone,
    SwinShape(96, (2, 2, 6, 2), (3, 6, 12, 24), patch=2, window=7, positions=False, masked=True, head="mean"),
)
swin_b = partial(
    SwinBackbone,
    SwinShape(384, (2, 18, 2), (8, 16, 16), patch=6, window=5, positions=True, masked=False, head="all"),
    size=120,
    drop_path=0.05,
    dropout=0.25,
)
