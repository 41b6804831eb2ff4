"""Losses with a score for every class."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visavis.errors import UsageError
from visavis.losses.loss import UNLABELLED, Loss, check_labels
from visavis.losses.some_rows import rows_of


class ClassifierLoss(Loss):
    """Cross-entropy over one score a class.

    Args:
        dimension: Length of an embedding.
        classes: Number of classes.
        vectors: Vectors held for each class.

    Attributes:
        weight: ``(classes * vectors, dimension)``, those of one class side by side; drawn from Normal(0, 0.01).
        sparse: Whether the gradient of a part of the classes is a row-sparse tensor, which holds their rows only.
    """

    has_classes: ClassVar[bool] = True
    classes: int

    def __init__(self, dimension: int, classes: int, *, vectors: int = 1) -> None:
        super().__init__()
        if min(dimension, classes, vectors) < 1:
            raise UsageError(
                "a classifier needs a dimension, classes and vectors of at least 1; "
                f"got {dimension}, {classes}, {vectors}"
            )
        self.classes = classes
        self.vectors = vectors
        self.sparse = False
        self.weight = nn.Parameter(torch.empty(classes * vectors, dimension).normal_(0.0, 0.01))

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return self.weight.shape[1]

    def logits(self, embeddings: Tensor, labels: Tensor, *, classes: Tensor | None = None) -> Tensor:
        """What the softmax is taken of: ``(B, C)`` in float32 or better.

        Args:
            embeddings: Float ``(B, D)``, of any norm.
            labels: int64 ``(B,)``; `UNLABELLED` for a row without a class.
            classes: int64 ``(K,)``, the classes to score, each once; all when omitted. The result is the same
                columns of the whole, so that a worker can hold a part of the classes (partial FC).

        Raises:
            UsageError: Shapes or labels that do not fit.
        """
        raise NotImplementedError

    def compute(self, embeddings: Tensor, target: Tensor, other: Tensor | None = None) -> Tensor:
        """Mean cross-entropy of `logits`."""
        return F.cross_entropy(self.logits(embeddings, target), target)

    def check_batch(self, embeddings: Tensor, labels: Tensor, classes: Tensor | None) -> None:
        """Refuse what `logits` cannot score.

        Raises:
            UsageError: What was given and what is accepted.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != self.dimension:
            raise UsageError(f"this loss takes embeddings (B, {self.dimension}); got {tuple(embeddings.shape)}")
        check_labels(labels, rows=len(embeddings), classes=self.classes)
        if classes is None:
            return
        if classes.ndim != 1 or len(classes) == 0 or len(classes.unique()) != len(classes):
            raise UsageError(f"a part of the classes is int64 (K,), each once; got {tuple(classes.shape)} with repeats")
        check_labels(classes, rows=len(classes), classes=self.classes)
        if bool((classes == UNLABELLED).any()):
            raise UsageError(f"a part of the classes is class numbers 0..{self.classes - 1}; got {UNLABELLED}")

    def vectors_of(self, classes: Tensor | None) -> Tensor:
        """The rows of `weight` that belong to some classes, ``(K * vectors, D)``; all for None."""
        if classes is None:
            return self.weight
        if self.vectors > 1:
            classes = (classes[:, None] * self.vectors + torch.arange(self.vectors, device=classes.device)).flatten()
        return rows_of(self.weight, classes, sparse=self.sparse)

    def columns_of(self, labels: Tensor, classes: Tensor | None) -> Tensor:
        """Where the class of each row stands among some classes: int64 ``(B,)``, -1 where it does not."""
        if classes is None:
            return labels
        places = labels.new_full((self.classes + 1,), UNLABELLED)
        places[classes] = torch.arange(len(classes), device=labels.device)
        return places[labels]
