"""Softmax: a plain linear classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visavis.losses.classifier import ClassifierLoss
from visavis.losses.loss import full_precision
from visavis.losses.some_rows import rows_of


def softmax_logits(embeddings: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x . w_j + b_j``: ``(B, D)`` embeddings and ``(C, D)`` weights to ``(B, C)``."""
    return F.linear(embeddings, weight, bias)


class SoftmaxLoss(ClassifierLoss):
    """Cross-entropy of a linear layer, without norms, margin or scale.

    Equation:
        ``L = -log(exp(z_y) / sum_j exp(z_j))`` with ``z_j = w_j . x + b_j``

    Paper:
        Taigman et al. 2014, DeepFace; as an equation in Wen et al. 2016, eq. 1.

    Paper values:
        None to set; a bias.

    Args:
        dimension: Length of an embedding.
        classes: Number of classes.
        bias: Whether each class has a bias; it begins at 0.
    """

    def __init__(self, dimension: int, classes: int, *, bias: bool = True) -> None:
        super().__init__(dimension, classes)
        self.bias = nn.Parameter(torch.zeros(classes)) if bias else None

    def logits(self, embeddings: Tensor, labels: Tensor, *, classes: Tensor | None = None) -> Tensor:
        """See `ClassifierLoss.logits`; there is no margin in any mode."""
        self.check_batch(embeddings, labels, classes)
        with torch.autocast(embeddings.device.type, enabled=False):
            values = full_precision(embeddings)
            bias = (
                self.bias if self.bias is None or classes is None else rows_of(self.bias, classes, sparse=self.sparse)
            )
            weight = self.vectors_of(classes).to(values.dtype)
            return softmax_logits(values, weight, None if bias is None else bias.to(values.dtype))
