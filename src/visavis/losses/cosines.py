"""Cosines of embeddings with class centres, and their gradient, without a unit copy of the centres."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

_SMALL = 1e-12


def cosines(embeddings: Tensor, centres: Tensor) -> Tensor:
    """Cosine of each embedding with each centre.

    With ``u = x / |x|`` the value is ``c = (u . w) / |w|`` and its gradient over a centre
    ``u / |w| - c w / |w|^2``: the long side, ``(C, D)``, is read as it is and never copied to unit length,
    which halves the time of a step with many classes.

    Args:
        embeddings: float32 or float64 ``(B, D)``, of any norm.
        centres: The same dtype ``(C, D)``, of any norm.

    Returns:
        ``(B, C)``, in [-1, 1] up to rounding; 0 for a centre or embedding of length 0. It can be
        differentiated once.
    """
    values: Tensor = _Cosines.apply(F.normalize(embeddings, eps=_SMALL), centres)  # type: ignore[no-untyped-call]
    return values


class _Cosines(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, units: Tensor, centres: Tensor) -> Tensor:
        inverse = torch.linalg.vector_norm(centres, dim=1).clamp_min(_SMALL).reciprocal()
        values = (units @ centres.T).mul_(inverse)
        ctx.save_for_backward(units, centres, inverse, values)
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        units, centres, inverse, values = ctx.saved_tensors
        scaled = gradient * values
        along = scaled.sum(0).mul_(inverse.square()).neg_()
        torch.mul(gradient, inverse, out=scaled)
        return scaled @ centres, (scaled.T @ units).addcmul_(centres, along[:, None])
