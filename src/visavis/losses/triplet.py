"""Triplet loss: an anchor is nearer to its own person than to any other, by a margin."""

from __future__ import annotations

import warnings
from typing import Literal, get_args

import torch
from torch import Tensor

from visavis.errors import UsageError
from visavis.losses.loss import Loss
from visavis.losses.pairs import pair_masks, squared_distances

Mining = Literal["semi-hard", "hard", "all"]
"""Which triplets are taken; see `mine_triplets`."""

Fallback = Literal["skip", "furthest"]
"""What a pair without a semi-hard negative does."""

_COLLAPSED = 1e-4


def mine_triplets(
    squared: Tensor,
    same: Tensor,
    different: Tensor,
    *,
    margin: float = 0.2,
    mining: Mining = "semi-hard",
    fallback: Fallback = "skip",
) -> Tensor:
    """Anchors, positives and negatives out of a matrix of distances.

    Args:
        squared: ``(A, B)`` squared distances; used without gradient.
        same: bool ``(A, B)``, which columns are a positive of which row.
        different: bool ``(A, B)``, which are a negative.
        margin: Squared distance.
        mining: ``semi-hard``: for each pair of one person the closest negative with
            ``d(a, p) < d(a, n) < d(a, p) + margin``. ``hard``: for each anchor the farthest positive and the
            closest negative. ``all``: every triplet.
        fallback: Of a pair without a semi-hard negative: ``skip`` it, or take the ``furthest`` negative.

    Returns:
        int64 ``(3, T)``.

    Raises:
        UsageError: Another word for ``mining`` or ``fallback``.
    """
    if mining not in get_args(Mining) or fallback not in get_args(Fallback):
        raise UsageError(
            f"mining is one of {', '.join(get_args(Mining))}, fallback one of {', '.join(get_args(Fallback))}; "
            f"got {mining!r} and {fallback!r}"
        )
    squared = squared.detach()
    if mining == "all":
        return (same[:, :, None] & different[:, None, :]).nonzero().T
    if mining == "hard":
        anchors = (same.any(1) & different.any(1)).nonzero()[:, 0]
        farthest = squared.masked_fill(~same, -torch.inf).argmax(1)
        closest = squared.masked_fill(~different, torch.inf).argmin(1)
        return torch.stack([anchors, farthest[anchors], closest[anchors]])
    anchors, positives = same.nonzero().T
    reach, rows = squared[anchors, positives][:, None], squared[anchors]
    allowed = different[anchors]
    semi_hard = allowed & (rows > reach) & (rows < reach + margin)
    negatives = rows.masked_fill(~semi_hard, torch.inf).argmin(1)
    found = semi_hard.any(1)
    if fallback == "furthest":
        negatives = torch.where(found, negatives, rows.masked_fill(~allowed, -torch.inf).argmax(1))
        found = allowed.any(1)
    return torch.stack([anchors, positives, negatives])[:, found]


def triplet_loss(squared: Tensor, triplets: Tensor, *, margin: float = 0.2) -> Tensor:
    """Mean of ``d(a, p) - d(a, n) + margin`` over the triplets where it is above 0; 0 without such.

    Args:
        squared: ``(A, B)`` squared distances.
        triplets: int64 ``(3, T)``.
        margin: Squared distance.
    """
    anchors, positives, negatives = triplets
    excess = (squared[anchors, positives] - squared[anchors, negatives] + margin).clamp_min(0.0)
    return excess.sum() / (excess.detach() > 0).sum().clamp_min(1)


class TripletLoss(Loss):
    """Triplets of a batch, mined anew each time, over squared distances of unit embeddings.

    Equation:
        ``L = mean_{active} max(0, |a - p|^2 - |a - n|^2 + alpha)``

    Paper:
        Schroff et al. 2015, FaceNet, sections 3.1 and 3.2; arXiv 1503.03832. ``hard`` is the batch-hard mining of
        Hermans et al. 2017. The mean is over triplets above 0; the paper sums.

    Paper values:
        margin 0.2, semi-hard negatives, about 40 faces a person in a batch of 1,800. That the closest of the
        semi-hard negatives is taken is a choice of ours.

    Args:
        margin: alpha, a squared distance.
        mining: See `mine_triplets`.
        fallback: See `mine_triplets`; of ``semi-hard`` only.
    """

    def __init__(self, *, margin: float = 0.2, mining: Mining = "semi-hard", fallback: Fallback = "skip") -> None:
        super().__init__()
        if not margin > 0 or mining not in get_args(Mining) or fallback not in get_args(Fallback):
            raise UsageError(
                f"triplets take a margin above 0, mining of {', '.join(get_args(Mining))} and a fallback of "
                f"{', '.join(get_args(Fallback))}; got {margin}, {mining!r}, {fallback!r}"
            )
        if fallback != "skip" and mining != "semi-hard":
            raise UsageError(f"only semi-hard mining has pairs without a negative; leave fallback out for {mining!r}")
        self.margin, self.mining, self.fallback = margin, mining, fallback

    def compute(self, embeddings: Tensor, target: Tensor, other: Tensor | None = None) -> Tensor:
        """See `triplet_loss`."""
        same, different = pair_masks(target)
        return self.over(squared_distances(embeddings, embeddings), same, different)

    def triplets_of(self, squared: Tensor, same: Tensor, different: Tensor) -> Tensor:
        """The triplets that the loss takes: int64 ``(3, T)``; see `mine_triplets`."""
        return mine_triplets(squared, same, different, margin=self.margin, mining=self.mining, fallback=self.fallback)

    def over(self, squared: Tensor, same: Tensor, different: Tensor) -> Tensor:
        """The loss of a matrix of distances ``(A, B)``, see `mine_triplets`.

        Warns:
            UserWarning: There is no semi-hard triplet and all distances are 0: the network has collapsed.
        """
        triplets = self.triplets_of(squared, same, different)
        unmined_nan = 0.0 * squared.sum()  # comparisons drop NaN, the loss has to show it
        loss = triplet_loss(squared, triplets, margin=self.margin) + unmined_nan
        distances = squared.detach()
        anchors, positives, negatives = triplets
        active = distances[anchors, positives] + self.margin > distances[anchors, negatives]
        count = triplets.shape[1]
        self.seen = {
            "triplets": float(count),
            "active": active.sum() / max(count, 1),
            "distance": distances[same | different].mean(),
        }
        if count == 0 and float(distances.max()) < _COLLAPSED:
            warnings.warn(
                "no semi-hard triplet: all embeddings are equal, the network has collapsed; lower the learning rate, "
                "or begin with a softmax loss",
                stacklevel=2,
            )
        return loss
