"""Cross-entropy of scaled values, in two passes of memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def scaled_cross_entropy(values: Tensor, labels: Tensor, *, scale: float) -> Tensor:
    """``mean_i(log sum_j exp(s v_ij) - s v_iy)``, as torch's cross-entropy of ``s v``.

    The forward pass keeps the probabilities and nothing else, from which the gradient is ``s (p - onehot) / B``; with
    many classes most of a step beside the products of matrices is the memory that is written.

    Args:
        values: float32 or float64 ``(B, C)``.
        labels: int64 ``(B,)`` in 0..C - 1, of one row or more.
        scale: s.

    Returns:
        A scalar. It can be differentiated once.
    """
    loss: Tensor = _ScaledCrossEntropy.apply(values, labels, scale)  # type: ignore[no-untyped-call]
    return loss


class _ScaledCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, labels: Tensor, scale: float) -> Tensor:
        own = labels[:, None]
        shares = values * scale
        highest = shares.amax(1, keepdim=True)
        margin = highest - shares.gather(1, own)
        total = shares.sub_(highest).exp_().sum(1, keepdim=True)
        shares.div_(total)
        ctx.save_for_backward(shares, own)
        ctx.scale = scale
        return (total.log() + margin).mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        shares, own = ctx.saved_tensors
        factor = gradient * (ctx.scale / len(shares))
        return (shares * factor).scatter_add_(1, own, -factor.expand_as(own)), None, None
