"""What the losses of pairs and triplets share: distances, and who belongs to whom."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from visavis.errors import UsageError


def squared_distances(left: Tensor, right: Tensor) -> Tensor:
    """Squared Euclidean distances of unit vectors, ``2 - 2 cos``: ``(A, D)`` and ``(B, D)`` to ``(A, B)`` in [0, 4].

    Args:
        left: Of any norm; divided by it here.
        right: The same.
    """
    return (2.0 - 2.0 * (F.normalize(left) @ F.normalize(right).T)).clamp(0.0, 4.0)


def pair_masks(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs with equal labels, without a row and itself, and pairs with different ones: bool ``(B, B)`` each.

    Raises:
        UsageError: There are none of either kind.
    """
    equal = labels[:, None] == labels
    same = equal & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    if not bool(same.any()) or bool(equal.all()):
        raise UsageError(
            "a loss of pairs needs two people or more in a batch, and two pictures or more of one; "
            f"got {len(labels)} rows of {len(labels.unique())}: draw P people with K pictures each"
        )
    return same, ~equal
