"""Tensors of all processes with gradient: what a loss of the whole batch sees."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from visavis.training.group import Group


def gather_rows(values: Tensor, group: Group) -> Tensor:
    """The rows of all processes, in the order of ranks.

    The gradient of a row is the sum of the gradients that it gets in all processes, as if their losses were added.
    Where each process computes the same loss of all rows and gradients of parameters are averaged afterwards, the
    result is the gradient of that loss.

    Args:
        values: ``(B_k, ...)``; the number of rows may differ between processes.
        group: The processes.

    Returns:
        ``(sum_k B_k, ...)``; the tensor itself for one process.
    """
    if group.size == 1:
        return values
    counts = [int(count) for count in group.stacked(torch.tensor(len(values), device=values.device))]
    if not values.requires_grad:
        return _gathered(values, group, counts)
    found: Tensor = _Gather.apply(values, group, counts)  # type: ignore[no-untyped-call]
    return found


def scale_gradient(values: Tensor, factor: float) -> Tensor:
    """The values, whose gradient is multiplied by a factor on the way back."""
    if factor == 1:
        return values
    scaled: Tensor = _Scale.apply(values, factor)  # type: ignore[no-untyped-call]
    return scaled


def _gathered(values: Tensor, group: Group, counts: list[int]) -> Tensor:
    padded = values.new_zeros(max(counts), *values.shape[1:])
    padded[: len(values)] = values.detach()
    parts = group.stacked(padded)
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, group: Group, counts: list[int]) -> Tensor:
        ctx.group, ctx.counts = group, counts
        return _gathered(values, group, counts)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        whole = ctx.group.total(gradient.clone(memory_format=torch.contiguous_format))
        start = sum(ctx.counts[: ctx.group.rank])
        return whole[start : start + ctx.counts[ctx.group.rank]], None, None


class _Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return values.view_as(values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.factor, None
