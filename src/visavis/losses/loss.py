"""What all losses share."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from visavis.errors import UsageError

UNLABELLED = -1
"""The label of a row whose class is not known: it gets no margin and does not enter a loss."""


def full_precision(values: Tensor) -> Tensor:
    """Floats of any kind as float32, and float64 as it is: losses are computed in nothing less.

    Raises:
        UsageError: Not a float tensor.
    """
    if not values.is_floating_point():
        raise UsageError(f"embeddings are float tensors; got {values.dtype}: divide or cast them first")
    return values.to(torch.promote_types(values.dtype, torch.float32))


def check_same_shape(embeddings: Tensor, target: Tensor) -> None:
    """Refuse target embeddings of another length than the embeddings.

    Raises:
        UsageError: Both shapes.
    """
    if target.shape != embeddings.shape:
        raise UsageError(f"targets are {tuple(embeddings.shape)} like the embeddings; got {tuple(target.shape)}")


def check_labels(labels: Tensor, *, rows: int, classes: int | None) -> None:
    """Refuse labels that do not fit.

    Args:
        labels: Should be int64 ``(rows,)``, each `UNLABELLED` or in 0..classes - 1.
        rows: Rows of the batch.
        classes: Number of classes; None for no upper end.

    Raises:
        UsageError: What was given and what is accepted.
    """
    if labels.dtype != torch.int64 or labels.shape != (rows,):
        raise UsageError(f"labels are int64 ({rows},), one a row; got {labels.dtype} {tuple(labels.shape)}")
    if rows == 0:
        return
    low, high = (int(value) for value in labels.aminmax())
    if low < UNLABELLED or (classes is not None and high >= classes):
        span = "0 or more" if classes is None else f"0..{classes - 1}"
        raise UsageError(f"labels are {span}, or {UNLABELLED} for a row without a class; got {low}..{high}")


class Loss(nn.Module):
    """A scalar loss of a batch of embeddings, in float32 or better whatever the batch comes in.

    A loss implements `compute`; `forward` checks the batch first, raises its precision, and leaves out the
    rows that are labelled `UNLABELLED`. Of no rows the loss is 0; of embeddings that are not finite it is NaN.

    Attributes:
        target: What the second argument is. ``label``: int64 ``(B,)`` class numbers; ``embedding``: float
            ``(B, D)``, embeddings to be near; ``both``: labels second and embeddings ``(B, D)`` third. None of
            them gets a gradient unless the loss says so.
        has_classes: Whether the loss is built with ``(dimension, classes)`` and holds one centre a class.
        exact_gradient: False where weights of the loss are detached on purpose, so that its gradient is not that of its
            values.
        classes: Number of classes; None where any label of 0 or more will do.
        seen: What the last call saw: name -> number or scalar tensor; read it with `measures`.
    """

    target: ClassVar[Literal["label", "embedding", "both"]] = "label"
    has_classes: ClassVar[bool] = False
    exact_gradient: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.classes: int | None = None
        self.seen: dict[str, Tensor | float] = {}

    def forward(self, embeddings: Tensor, target: Tensor, other: Tensor | None = None) -> Tensor:
        """The loss, a scalar.

        Args:
            embeddings: Float ``(B, D)``, of any norm.
            target: See `Loss.target`.
            other: A third tensor of B rows, for losses that say so.

        Raises:
            UsageError: Shapes, dtypes or labels that do not fit.
        """
        if embeddings.ndim != 2:
            raise UsageError(f"embeddings are float (B, D); got {tuple(embeddings.shape)}")
        batch = [full_precision(embeddings), target, *([] if other is None else [other])]
        if self.target == "embedding":
            batch[1] = full_precision(target)
        else:
            check_labels(target, rows=len(embeddings), classes=self.classes)
        if any(len(part) != len(embeddings) for part in batch):
            raise UsageError(f"each tensor has one row an embedding, {len(embeddings)}; got {[len(p) for p in batch]}")
        if self.target != "embedding" and bool((target == UNLABELLED).any()):
            batch = [part[target != UNLABELLED] for part in batch]
        with torch.autocast(embeddings.device.type, enabled=False):
            return self.compute(*batch) if len(batch[0]) else batch[0].sum()

    def compute(self, embeddings: Tensor, target: Tensor, other: Tensor | None = None) -> Tensor:
        """The loss of a checked batch of one row or more: float32 or float64, every row with a label."""
        raise NotImplementedError

    def measures(self) -> dict[str, float]:
        """What the last call saw, for logs: name -> value. Empty before the first call."""
        return {name: float(value) for name, value in self.seen.items()}
