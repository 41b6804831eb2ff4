"""Distillation: a student's embeddings become those of a teacher."""

from __future__ import annotations

from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from visavis.errors import UsageError
from visavis.losses.loss import Loss, check_same_shape
from visavis.losses.pairs import squared_distances

Match = Literal["cosine", "euclidean", "relational", "contrastive"]
"""What should be equal; see `DistillationLoss`."""

_SMALL = 1e-12


def relative_distances(embeddings: Tensor) -> Tensor:
    """Distances of unit embeddings, over the mean of those of different rows: ``(B, D)`` to ``(B, B)``."""
    distances = squared_distances(embeddings, embeddings).clamp_min(_SMALL).sqrt()
    apart = ~torch.eye(len(embeddings), dtype=torch.bool, device=embeddings.device)
    return (distances / distances[apart].mean()).masked_fill(~apart, 0.0)


class DistillationLoss(Loss):
    """How far the embeddings of a student are from those of a teacher, of the same pictures.

    Equation:
        cosine: ``L = mean_i (1 - cos(x_i, t_i))``; euclidean: ``L = mean_i |x_i - t_i|^2 / D``; relational:
        ``L = mean_{i != j} huber(d(x_i, x_j) / mean d(x) - d(t_i, t_j) / mean d(t))``; contrastive:
        ``L = mean_i -log(exp(s cos(x_i, t_i)) / sum_j exp(s cos(x_i, t_j)))``, over the targets of the batch

    Paper:
        Hinton et al. 2015 for the idea; Duong et al. 2019, ShrinkTeaNet, for the angle; Romero et al. 2015,
        FitNets, for squared differences; Park et al. 2019, Relational knowledge distillation, its distance-wise loss;
        van den Oord et al. 2018, InfoNCE, with the targets of the other rows as negatives, as Tian et al. 2020,
        Contrastive representation distillation, use it for the idea.

    Paper values:
        None to set; the Huber loss of relations has its bend at 1. The scale of the contrastive match is ours.

    Args:
        match: ``cosine``: the direction. ``euclidean``: direction and norm. ``relational``: the distances within
            the batch; the teacher's embeddings may then have another length. ``contrastive``: its own target is nearer
            than those of the other rows, which says more than the direction while the student knows little.
        scale: s of the contrastive match.
    """

    target: ClassVar[Literal["label", "embedding", "both"]] = "embedding"

    def __init__(self, *, match: Match = "cosine", scale: float = 16.0) -> None:
        super().__init__()
        if match not in get_args(Match):
            raise UsageError(f"distillation matches one of {', '.join(get_args(Match))}; got {match!r}")
        if not scale > 0:
            raise UsageError(f"the scale of cosines is above 0; got {scale}")
        self.match, self.scale = match, scale

    def compute(self, embeddings: Tensor, target: Tensor, other: Tensor | None = None) -> Tensor:
        """See the class.

        Raises:
            UsageError: Shapes that do not fit, or relations of one row.
        """
        target = target.detach().to(embeddings.dtype)
        if self.match == "relational":
            return self._relations(embeddings, target)
        check_same_shape(embeddings, target)
        if self.match == "contrastive":
            return self._contrast(embeddings, target)
        cosines = F.cosine_similarity(embeddings, target)
        self.seen = {"cosine": cosines.detach().mean()}
        return 1 - cosines.mean() if self.match == "cosine" else F.mse_loss(embeddings, target)

    def _relations(self, embeddings: Tensor, target: Tensor) -> Tensor:
        count = len(embeddings)
        if count < 2:
            raise UsageError("relations need two rows or more in a batch; got one: drop the last, smaller batch")
        gap = F.huber_loss(relative_distances(embeddings), relative_distances(target), reduction="sum")
        loss: Tensor = gap / (count * (count - 1))
        self.seen = {"relations": loss.detach()}
        return loss

    def _contrast(self, embeddings: Tensor, target: Tensor) -> Tensor:
        cosines = F.normalize(embeddings) @ F.normalize(target).T
        own = torch.arange(len(cosines), device=cosines.device)
        self.seen = {"nearest": (cosines.argmax(dim=1) == own).float().mean()}
        return F.cross_entropy(self.scale * cosines, own)
