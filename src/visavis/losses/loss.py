"""What all losses share."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visavis.errors import UsageError


class Loss(nn.Module):
    """A scalar loss of a batch of embeddings.

    Attributes:
        target: ``label``: the second argument is int64 ``(B,)`` class numbers; ``embedding``: it is float
            ``(B, D)``, what the embeddings should be.
        has_classes: Whether the loss is built with ``(dimension, classes)`` and holds one centre a class.
    """

    target: ClassVar[Literal["label", "embedding"]] = "label"
    has_classes: ClassVar[bool] = False

    def forward(self, embeddings: Tensor, target: Tensor) -> Tensor:
        """The loss, a scalar.

        Args:
            embeddings: Float ``(B, D)``, of any norm.
            target: See `Loss.target`.
        """
        raise NotImplementedError

    def measures(self) -> dict[str, float]:
        """What the last call saw, for logs: name -> value. Empty before the first call."""
        return {}


class HeadLoss(Loss):
    """A classifier on the unit sphere: normal weights, normal embeddings, a margin, a scale, cross-entropy.

    Args:
        dimension: Length of an embedding.
        classes: Number of classes.
        scale: Factor of the cosines before the softmax.

    Attributes:
        weight: Class centres ``(classes, dimension)``, of any norm.
    """

    has_classes: ClassVar[bool] = True

    def __init__(self, dimension: int, classes: int, *, scale: float = 64.0) -> None:
        super().__init__()
        if dimension < 1 or classes < 1:
            raise UsageError(f"a head needs a dimension and classes of at least 1; got {dimension} and {classes}")
        self.scale = scale
        self.weight = nn.Parameter(torch.empty(classes, dimension).normal_(0.0, 0.01))

    def cosine(self, embeddings: Tensor) -> Tensor:
        """Cosines of each embedding with each centre, float32 or better ``(B, C)``, in [-1, 1]."""
        values = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
        return (F.normalize(values) @ F.normalize(self.weight.to(values.dtype)).T).clamp(-1.0, 1.0)

    def logits(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Scaled logits with margin ``(B, C)`` in training mode; without margin in evaluation mode."""
        raise NotImplementedError

    def forward(self, embeddings: Tensor, target: Tensor) -> Tensor:
        """Mean cross-entropy of `logits`."""
        return F.cross_entropy(self.logits(embeddings, target), target)
