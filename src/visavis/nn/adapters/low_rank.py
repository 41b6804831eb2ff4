"""Linear layers whose weights rest, with a trained product of two thin matrices beside them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from visavis.errors import UsageError
from visavis.nn.adapters.mixing import given_alpha, rows_of

TRAINABLE = "trainable_lora"
"""Part of the name of every adapter's weights; nothing else of a network is called so."""


class LowRankLinear(nn.Linear):
    """A linear layer with one adapter: ``y = W x + b + s Drop(U (D x))``.

    Hu et al. 2022, LoRA, eq. 3, with the dropout behind U as PETALface has it. W and b are those of the layer it
    replaces, under their names, and rest. D begins normal with deviation ``1 / rank``, U as zeros: the layer begins as
    the one it replaces, bit for bit.

    Args:
        layer: The layer to replace; its weights are taken, not copied.
        rank: Rows of D, columns of U.
        scale: s.
        dropout: Share of the adapter's values dropped in training.

    Raises:
        UsageError: A rank or dropout out of range.
    """

    def __init__(self, layer: nn.Linear, rank: int, *, scale: float = 1.0, dropout: float = 0.1) -> None:
        if not 1 <= rank <= min(layer.in_features, layer.out_features):
            raise UsageError(
                f"the rank of an adapter lies in 1..{min(layer.in_features, layer.out_features)}, the smaller side of "
                f"the layer; got {rank}"
            )
        if not 0.0 <= dropout < 1.0:
            raise UsageError(f"dropout is in [0, 1); got {dropout}")
        super().__init__(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
        self.weight, self.bias = layer.weight, layer.bias
        self.requires_grad_(False)
        self.rank, self.scale = rank, scale
        self.trainable_lora_down, self.trainable_lora_up = self._pair()
        self.drop = nn.Dropout(dropout)
        self.train(layer.training)

    def _pair(self) -> tuple[nn.Linear, nn.Linear]:
        like = {"device": self.weight.device, "dtype": self.weight.dtype}
        down = nn.Linear(self.in_features, self.rank, bias=False, **like)
        up = nn.Linear(self.rank, self.out_features, bias=False, **like)
        nn.init.normal_(down.weight, std=1 / self.rank)
        nn.init.zeros_(up.weight)
        return down, up

    def forward(self, x: Tensor) -> Tensor:
        """``(..., in)`` to ``(..., out)``."""
        return super().forward(x) + self.added(x)

    def added(self, x: Tensor) -> Tensor:
        """What the adapter adds, ``(..., out)``."""
        result: Tensor = self.scale * self.drop(self.trainable_lora_up(self.trainable_lora_down(x)))
        return result

    def step(self, alpha: float | None) -> Tensor:
        """What the adapter adds to W, ``(out, in)``."""
        if alpha is not None:
            raise UsageError("alpha mixes two adapters; this layer has one: leave alpha out")
        return self.scale * self.trainable_lora_up.weight @ self.trainable_lora_down.weight

    @torch.no_grad()
    def merged(self, alpha: float | None = None) -> nn.Linear:
        """A plain layer that computes the same in evaluation mode.

        Args:
            alpha: Weight of the second of two adapters; None where there is one.

        Raises:
            UsageError: An alpha for one adapter, none for two, or one for each picture: those cannot be merged.
        """
        weight = self.weight + self.step(alpha)
        plain = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None, device="meta")
        plain.weight = nn.Parameter(weight)
        if self.bias is not None:
            plain.bias = nn.Parameter(self.bias.detach().clone())
        return plain.train(self.training)


class DualLowRankLinear(LowRankLinear):
    """A linear layer with two adapters that are mixed for each picture.

    ``y = W x + b + s Drop(U1 (D1 ((1 - alpha) x))) + s Drop(U2 (D2 (alpha x)))``. Narayan et al. 2025, PETALface,
    eq. 4. Alpha is that of `visavis.nn.adapters.mixing.mixed_by`. Since alpha is one number a picture, it is applied to
    the thin values ``D x``, which is the same.

    Args:
        layer: See `LowRankLinear`.
        rank: Of each adapter.
        scale: s.
        dropout: See `LowRankLinear`.
    """

    def __init__(self, layer: nn.Linear, rank: int, *, scale: float = 1.0, dropout: float = 0.1) -> None:
        super().__init__(layer, rank, scale=scale, dropout=dropout)
        self.trainable_lora_down2, self.trainable_lora_up2 = self._pair()

    def added(self, x: Tensor) -> Tensor:
        """What both adapters add, ``(..., out)``.

        Raises:
            UsageError: No alpha was given for this pass, or not one a picture.
        """
        alpha = given_alpha()
        if alpha is None:
            raise UsageError("two adapters need alpha: call the network inside mixed_by(alpha), or as AdaptedBackbone")
        second = rows_of(alpha, x)
        one = self.trainable_lora_up((1 - second) * self.trainable_lora_down(x))
        other = self.trainable_lora_up2(second * self.trainable_lora_down2(x))
        result: Tensor = self.scale * (self.drop(one) + self.drop(other))
        return result

    def step(self, alpha: float | None) -> Tensor:
        """See `LowRankLinear.step`."""
        if not isinstance(alpha, int | float):
            got = "none" if alpha is None else f"a {type(alpha).__name__}"
            raise UsageError(f"two adapters are merged for one alpha, a number, and not for one a picture; got {got}")
        one = self.trainable_lora_up.weight @ self.trainable_lora_down.weight
        other = self.trainable_lora_up2.weight @ self.trainable_lora_down2.weight
        return self.scale * ((1 - alpha) * one + alpha * other)
