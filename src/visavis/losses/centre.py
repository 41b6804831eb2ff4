"""Centre loss: each embedding near the centre of its class."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from visavis.errors import UsageError
from visavis.losses.loss import Loss
from visavis.losses.softmax import SoftmaxLoss

CentreUpdate = Literal["paper", "gradient"]
"""How centres move: by the paper's rule, or with the optimiser."""


def centre_loss(embeddings: Tensor, labels: Tensor, centres: Tensor) -> Tensor:
    """``mean_i |x_i - c_{y_i}|^2 / 2`` of ``(B, D)`` embeddings and ``(C, D)`` centres."""
    return (embeddings - centres[labels]).square().sum(1).mean() / 2


def moved_centres(embeddings: Tensor, labels: Tensor, centres: Tensor, *, rate: float = 0.5) -> Tensor:
    """Centres after one step: ``c_j - alpha sum_i [y_i = j] (c_j - x_i) / (1 + sum_i [y_i = j])``.

    Args:
        embeddings: ``(B, D)``; used without gradient.
        labels: int64 ``(B,)``.
        centres: ``(C, D)``.
        rate: alpha.

    Returns:
        ``(C, D)``; centres without rows are unchanged.
    """
    values = embeddings.detach().to(centres.dtype)
    counts = torch.bincount(labels, minlength=len(centres)).to(centres.dtype)
    pulls = torch.zeros_like(centres).index_add_(0, labels, centres[labels] - values)
    return centres - rate * pulls / (1 + counts[:, None])


class CentreLoss(Loss):
    """Softmax, plus the distance of each embedding to a centre of its class.

    Without the softmax it is a term to add to another loss: alone, equal embeddings make it 0.

    Equation:
        ``L = L_softmax + lambda / 2 mean_i |x_i - c_{y_i}|^2``;
        ``c_j <- c_j - alpha sum_i [y_i = j] (c_j - x_i) / (1 + sum_i [y_i = j])``

    Paper:
        Wen et al. 2016, A discriminative feature learning approach for deep face recognition, eq. 2 to 5. There
        both sums are over the batch; here both are means, so that their ratio is the same.

    Paper values:
        lambda 0.003, alpha 0.5.

    Args:
        dimension: Length of an embedding.
        classes: Number of classes.
        weight: lambda.
        rate: alpha; of ``update="paper"`` only.
        update: ``paper``: centres are a buffer and each training call moves them after the loss. ``gradient``:
            they are a parameter of the optimiser.
        with_softmax: Whether the softmax is a part of it.

    Attributes:
        softmax: The classifier, or None.
        centres: ``(C, D)``, from 0.
    """

    has_classes = True
    centres: Tensor

    def __init__(
        self,
        dimension: int,
        classes: int,
        *,
        weight: float = 0.003,
        rate: float = 0.5,
        update: CentreUpdate = "paper",
        with_softmax: bool = True,
    ) -> None:
        super().__init__()
        if not weight >= 0 or not 0 <= rate <= 1 or update not in get_args(CentreUpdate):
            raise UsageError(
                f"the centre loss takes a weight of 0 or more, a rate in [0, 1] and an update of "
                f"{', '.join(get_args(CentreUpdate))}; got {weight}, {rate}, {update!r}"
            )
        self.softmax = SoftmaxLoss(dimension, classes) if with_softmax else None
        self.classes = classes
        self.weight, self.rate, self.update = weight, rate, update
        begin = torch.zeros(classes, dimension)
        if update == "paper":
            self.register_buffer("centres", begin)
        else:
            self.centres = nn.Parameter(begin)

    def compute(self, embeddings: Tensor, target: Tensor, other: Tensor | None = None) -> Tensor:
        """See the class."""
        if embeddings.shape[1] != self.centres.shape[1]:
            raise UsageError(f"this loss takes embeddings (B, {self.centres.shape[1]}); got {tuple(embeddings.shape)}")
        moving = self.training and self.update == "paper"
        centres = self.centres.clone() if moving else self.centres
        distance = centre_loss(embeddings, target, centres.to(embeddings.dtype))
        if moving:
            self.centres.copy_(moved_centres(embeddings, target, self.centres, rate=self.rate))
        self.seen = {"centre": distance.detach()}
        if self.softmax is None:
            return self.weight * distance
        classified: Tensor = self.softmax(embeddings, target)
        self.seen["softmax"] = classified.detach()
        return classified + self.weight * distance
