"""Some rows of a table, with a gradient of these rows only."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def rows_of(table: Tensor, rows: Tensor, *, sparse: bool = False) -> Tensor:
    """``table[rows]``.

    Args:
        table: ``(N, ...)``.
        rows: int64 ``(K,)``.
        sparse: Whether the gradient of the table is a sparse tensor of K rows, where a dense one would be as large as
            the table. `visavis.training.active_rows` updates a parameter by it.
    """
    if not sparse:
        return table[rows]
    found: Tensor = _SomeRows.apply(table, rows)  # type: ignore[no-untyped-call]
    return found


class _SomeRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.shape = table.shape
        return table[rows]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        return torch.sparse_coo_tensor(rows[None], gradient, ctx.shape, check_invariants=False), None
