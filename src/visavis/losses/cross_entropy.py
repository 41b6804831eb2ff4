"""Cross-entropy of scaled values, in two passes of memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from visavis.training.group import ALONE, Group


def scaled_cross_entropy(values: Tensor, labels: Tensor, *, scale: float, group: Group = ALONE) -> Tensor:
    """``mean_i(log sum_j exp(s v_ij) - s v_iy)``, as torch's cross-entropy of ``s v``.

    The forward pass keeps the probabilities and nothing else, from which the gradient is ``s (p - onehot) / B``; with
    many classes most of a step beside the products of matrices is the memory that is written.

    The columns may be split over processes: each has all rows and some columns, and no process sees more than B numbers
    of another. The largest value, the sum of exponentials and the own value of each row are exchanged.

    Args:
        values: float32 or float64 ``(B, C)``, the columns of this process.
        labels: int64 ``(B,)``, the own column of each of one row or more; -1 where another process has it.
        scale: s.
        group: The processes that have the columns.

    Returns:
        A scalar, the same in all processes. It can be differentiated once; the gradient is that of these columns.
    """
    loss: Tensor = _ScaledCrossEntropy.apply(values, labels, scale, group)  # type: ignore[no-untyped-call]
    return loss


class _ScaledCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, labels: Tensor, scale: float, group: Group) -> Tensor:
        own, here = labels.clamp_min(0)[:, None], (labels >= 0)[:, None]
        shares = values * scale
        highest = group.highest(shares.amax(1, keepdim=True))
        margin = highest - group.total(shares.gather(1, own).where(here, 0.0))
        total = group.total(shares.sub_(highest).exp_().sum(1, keepdim=True))
        shares.div_(total)
        ctx.save_for_backward(shares, own, here)
        ctx.scale = scale
        return (total.log() + margin).mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        shares, own, here = ctx.saved_tensors
        factor = gradient * (ctx.scale / len(shares))
        return (shares * factor).scatter_add_(1, own, -factor * here), None, None, None
