"""Harmonic triplets: a new network learns to live in the space of an old one."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from visavis.errors import UsageError
from visavis.losses.loss import check_same_shape
from visavis.losses.pairs import squared_distances
from visavis.losses.triplet import TripletLoss


def harmonic_masks(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Positives and negatives among new and old embeddings of one batch.

    Rows and columns are the B new embeddings and then the B old ones. A face and itself in the other version
    are a pair of one person.

    Args:
        labels: int64 ``(B,)``.

    Returns:
        bool ``(2 B, 2 B)`` each.
    """
    both = labels.repeat(2)
    equal = both[:, None] == both
    same = equal & ~torch.eye(len(both), dtype=torch.bool, device=labels.device)
    return same, ~equal


class HarmonicTripletLoss(TripletLoss):
    """Triplets whose members come from a new network and from an old, frozen one.

    Call it with the new embeddings, the labels, and the old embeddings of the same pictures. No gradient
    reaches the old ones; triplets of old ones only are left out.

    Equation:
        ``L = mean_{active} max(0, |a - p|^2 - |a - n|^2 + alpha)``, each of a, p, n new or old, not all old

    Paper:
        Schroff et al. 2015, FaceNet, appendix, Harmonic embedding; arXiv 1503.03832.

    Paper values:
        margin 0.2; first the last layer of the new network alone, then all of it. Mining as in `TripletLoss` is a
        choice of ours, and so is the equal weight of all kinds of triplets.

    Args:
        margin: alpha, a squared distance.
        mining: See `visavis.losses.triplet.mine_triplets`.
        fallback: The same.
    """

    target: ClassVar[Literal["label", "embedding", "both"]] = "both"

    def compute(self, embeddings: Tensor, target: Tensor, other: Tensor | None = None) -> Tensor:
        """See the class.

        Raises:
            UsageError: No old embeddings, or of another shape.
        """
        if other is None:
            raise UsageError("harmonic triplets need the old embeddings (B, D) as a third argument; got none")
        check_same_shape(embeddings, other)
        stacked = torch.cat([embeddings, other.detach().to(embeddings.dtype)])
        same, different = harmonic_masks(target)
        if not bool(different.any()):
            raise UsageError("harmonic triplets need two people or more in a batch; got one: shuffle the rows")
        return self.over(squared_distances(stacked, stacked), same, different)

    def triplets_of(self, squared: Tensor, same: Tensor, different: Tensor) -> Tensor:
        """Triplets among the new and the old rows, without those of old rows only."""
        triplets = super().triplets_of(squared, same, different)
        return triplets[:, (triplets < len(squared) // 2).any(0)]
