"""NormFace: a softmax of scaled cosines."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from torch import Tensor

from visavis.losses.head import HeadLoss, Rows


def normface_logits(cosine: Tensor, *, scale: float = 64.0) -> Tensor:
    """``s cos(theta_j)``: ``(B, C)`` to ``(B, C)``."""
    return cosine * scale


class NormFaceLoss(HeadLoss):
    """Cross-entropy of scaled cosines without a margin: the parent of all margin losses.

    Equation:
        ``L = -log(exp(s cos t_y) / sum_j exp(s cos t_j))``, where ``t_j`` is the angle of embedding and centre ``j``

    Paper:
        Wang et al. 2017, NormFace: L2 hypersphere embedding for face verification, arXiv 1704.06369.

    Paper values:
        The scale is learnt there, and its lower bound for C classes is ``log(C - 1)`` and more . Here it
        is fixed; 64 is what the margin losses take.

    Args:
        dimension: Length of an embedding.
        classes: Number of classes.
        scale: Factor of the cosines.
    """

    no_margin = MappingProxyType[str, Any]({})

    def __init__(self, dimension: int, classes: int, *, scale: float = 64.0) -> None:
        super().__init__(dimension, classes, scale=scale)

    def apply_margin(self, cosine: Tensor, rows: Rows) -> Tensor:
        """The cosines as they are."""
        return cosine
