"""Contrastive loss: equal labels together, different ones a margin apart."""

from __future__ import annotations

from torch import Tensor

from visavis.errors import UsageError
from visavis.losses.loss import Loss
from visavis.losses.pairs import pair_masks, squared_distances

_SMALL = 1e-12


def contrastive_loss(squared: Tensor, same: Tensor, different: Tensor, *, margin: float = 1.0) -> Tensor:
    """``mean(d^2) / 2`` over pairs of one person plus ``mean(max(0, m - d)^2) / 2`` over close pairs of two.

    Args:
        squared: ``(B, B)`` squared distances.
        same: bool ``(B, B)``, pairs of one person.
        different: bool ``(B, B)``, pairs of two people; those at the margin and beyond do not enter the mean.
        margin: m, a distance.
    """
    distance = squared.clamp_min(_SMALL).sqrt()
    near = (margin - distance).clamp_min(0.0).square() * different
    active = (near.detach() > 0).sum().clamp_min(1)
    return ((squared * same).sum() / same.sum().clamp_min(1) + near.sum() / active) / 2


class ContrastiveLoss(Loss):
    """All pairs of a batch: those of one person are drawn together, those of two pushed apart.

    Equation:
        ``L = mean_{same} d^2 / 2 + mean_{different, d < m} max(0, m - d)^2 / 2``, ``d`` the distance of unit
        embeddings

    Paper:
        Hadsell et al. 2006, Dimensionality reduction by learning an invariant mapping, eq. 4. There pairs are
        drawn and summed; here each kind has its mean, so that the few pairs of one person are not drowned.

    Paper values:
        margin 1 (Chopra et al. and Hadsell et al. set it by the data).

    Args:
        margin: m, a distance of unit vectors in (0, 2].
    """

    def __init__(self, *, margin: float = 1.0) -> None:
        super().__init__()
        if not 0 < margin <= 2:
            raise UsageError(f"the margin of pairs is a distance of unit vectors in (0, 2]; got {margin}")
        self.margin = margin

    def compute(self, embeddings: Tensor, target: Tensor, other: Tensor | None = None) -> Tensor:
        """See `contrastive_loss`."""
        same, different = pair_masks(target)
        squared = squared_distances(embeddings, embeddings)
        distances = squared.detach().sqrt()
        self.seen = {
            "same_distance": distances[same].mean(),
            "different_distance": distances[different].mean(),
            "active": (distances[different] < self.margin).to(distances.dtype).mean(),
        }
        return contrastive_loss(squared, same, different, margin=self.margin)
