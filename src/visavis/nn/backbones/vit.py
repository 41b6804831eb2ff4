"""The vision transformer of face recognition: no class token, all tokens feed the embedding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from visavis.errors import UsageError
from visavis.nn.backbones.backbone import EMBEDDING, Backbone, Keep, check_options
from visavis.nn.backbones.contracts import arcface_contract
from visavis.nn.layers.attention import ConvolutionStem, PatchEmbedding, Perceptron, SelfAttention, start_transformer
from visavis.nn.layers.drop_path import DropPath, increasing


@dataclass(frozen=True, slots=True)
class ViTShape:
    """What makes one vision transformer differ from another.

    Attributes:
        width: Length of a token.
        depth: Number of blocks.
        heads: Attention heads.
        patch: Side of a patch.
        ratio: Hidden values of the perceptron by ``width``.
        stem: ``patches``, or ``convolutions`` that give as many tokens; ``patch`` is then a power of two, 4 or more.
    """

    width: int
    depth: int
    heads: int = 8
    patch: int = 9
    ratio: int = 4
    stem: Literal["patches", "convolutions"] = "patches"


class ViTBlock(nn.Module):
    """LayerNorm, attention, sum; LayerNorm, perceptron with ReLU6, sum."""

    def __init__(self, shape: ViTShape, *, drop: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(shape.width)
        self.attn = SelfAttention(shape.width, shape.heads, bias=False)
        self.drop_path = DropPath(drop)
        self.norm2 = nn.LayerNorm(shape.width)
        self.mlp = Perceptron(shape.width, shape.width * shape.ratio, activation=nn.ReLU6())

    def forward(self, x: Tensor, keep: Keep, name: str) -> Tensor:
        """Tokens to tokens; hands its taps, which begin with ``name``, to ``keep``."""
        tokens = self.norm1(x)
        keep(f"{name}.attn.tokens", tokens)
        value, logits, weights = self.attn(tokens)
        keep(f"{name}.attn.logits", logits)
        keep(f"{name}.attn.weights", weights)
        value = x + self.drop_path(value)
        result: Tensor = value + self.drop_path(self.mlp(self.norm2(value)))
        keep(name, result)
        return result


class ViTBackbone(Backbone):
    """Dosovitskiy et al. 2021, as insightface ``arcface_torch`` (An et al. 2022) and CVLface train it for faces.

    Patches of 9 pixels (8 in CVLface), learnt positions, blocks before whose sums stand LayerNorms, a last
    LayerNorm; then all tokens in one row, linear, BN, linear, BN (epsilon 2e-5). In training ``masked`` of the
    tokens are left out of the blocks and replaced by a learnt one at the end. Keys as there.

    Args:
        shape: Sizes of the network.
        size: Side of the input.
        dimension: Length of an embedding.
        drop_path: Stochastic depth of the last block; released models 0.05 or 0.1.
        masked: Share of tokens left out in training; released models 0, 0.05 or 0.1.

    Attributes:
        body: The blocks; ``blocks`` in released checkpoints.

    Raises:
        UsageError: An option out of range.
    """

    released: Mapping[str, str] = {"body.": "blocks."}

    def __init__(
        self,
        shape: ViTShape,
        /,
        *,
        size: int = 112,
        dimension: int = 512,
        drop_path: float = 0.1,
        masked: float = 0.1,
    ) -> None:
        check_options(size=size, multiple=1, smallest=2 * shape.patch, dimension=dimension)
        power = shape.patch >= 4 and shape.patch & (shape.patch - 1) == 0
        if shape.stem == "convolutions" and (not power or size % shape.patch):
            raise UsageError(
                f"convolutions that halve the map give a token for each {shape.patch} pixels where that is a power of "
                f"two, 4 or more, that divides the side; got {size} pixels"
            )
        if not (0.0 <= drop_path < 1.0 and 0.0 <= masked < 1.0):
            raise UsageError(f"drop_path and masked are in [0, 1); got {drop_path} and {masked}")
        super().__init__()
        self.contract = arcface_contract(size)
        self.dimension = dimension
        self.masked = masked
        tokens = (size // shape.patch) ** 2
        row, square = (tokens, shape.width), (shape.heads, tokens, tokens)
        inside = {"": row, ".attn.tokens": row, ".attn.logits": square, ".attn.weights": square}
        self.taps = {
            **{f"blocks.{n}{part}": found for n in range(shape.depth) for part, found in inside.items()},
            "tokens": row,
            EMBEDDING: (dimension,),
        }
        stem = PatchEmbedding if shape.stem == "patches" else ConvolutionStem
        self.patch_embed = stem(shape.width, patch=shape.patch)
        self.pos_embed = nn.Parameter(torch.empty(1, tokens, shape.width))
        self.mask_token = nn.Parameter(torch.empty(1, 1, shape.width), requires_grad=masked > 0.0)
        self.body = nn.ModuleList(ViTBlock(shape, drop=drop) for drop in increasing(drop_path, shape.depth))
        self.norm = nn.LayerNorm(shape.width)
        self.feature = nn.Sequential(
            nn.Linear(shape.width * tokens, shape.width, bias=False),
            nn.BatchNorm1d(shape.width, eps=2e-5),
            nn.Linear(shape.width, dimension, bias=False),
            nn.BatchNorm1d(dimension, eps=2e-5),
        )
        nn.init.normal_(self.mask_token, std=0.02)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        start_transformer(self)

    def embed(self, x: Tensor, keep: Keep) -> Tensor:
        """See `Backbone.embed`. The attention taps have fewer tokens where some are left out in training."""
        value = self.patch_embed(x) + self.pos_embed
        order: Tensor | None = None
        if self.training and self.masked > 0.0:
            value, order = _leave_out(value, self.masked)
        for number, block in enumerate(self.body):
            value = block(value, keep, f"blocks.{number}")
        value = self.norm(value)
        if order is not None:
            value = _put_back(value, order, self.mask_token)
        keep("tokens", value)
        result: Tensor = self.feature(value.flatten(1))
        return result

    def blocks(self) -> list[nn.Module]:
        """Every transformer block, in order."""
        return list(self.body)


def _leave_out(tokens: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """A random part of each row's tokens, and the order that puts tokens back where they were (He et al. 2022)."""
    batch, count, width = tokens.shape
    shuffle = torch.rand(batch, count, device=tokens.device).argsort(dim=1)
    kept = shuffle[:, : int(count * (1.0 - share)), None].expand(-1, -1, width)
    return tokens.gather(1, kept), shuffle.argsort(dim=1)


def _put_back(tokens: Tensor, order: Tensor, blank: Tensor) -> Tensor:
    batch, count, width = tokens.shape
    whole = torch.cat([tokens, blank.to(tokens.dtype).expand(batch, order.shape[1] - count, -1)], dim=1)
    return whole.gather(1, order[:, :, None].expand(-1, -1, width))


vit_t = partial(ViTBackbone, ViTShape(256, 12))
vit_mini = partial(
    ViTBackbone,
    ViTShape(144, 6, heads=6, patch=16, stem="convolutions"),
    dimension=128,
    drop_path=0.0,
    masked=0.0,
)
vit_s = partial(ViTBackbone, ViTShape(512, 12))
vit_b = partial(ViTBackbone, ViTShape(512, 24))
vit_l = partial(ViTBackbone, ViTShape(768, 24), drop_path=0.05, masked=0.05)
vit_s8 = partial(ViTBackbone, ViTShape(512, 12, patch=8, ratio=5))
vit_b8 = partial(ViTBackbone, ViTShape(512, 24, heads=16, patch=8, ratio=3))
