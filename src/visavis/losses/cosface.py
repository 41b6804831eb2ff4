"""CosFace: a margin that is subtracted from the cosine."""

from __future__ import annotations

from torch import Tensor

from visavis.losses.head import HeadLoss, Rows
from visavis.losses.targets import change_targets


def cosface_logits(cosine: Tensor, labels: Tensor, *, margin: Tensor | float = 0.35, scale: float = 64.0) -> Tensor:
    """``s (cos(theta_y) - m)`` at each row's own class, ``s cos(theta_j)`` elsewhere.

    Args:
        cosine: ``(B, C)``, in [-1, 1].
        labels: int64 ``(B,)``; -1 for no margin on that row.
        margin: In cosine, one or one a row.
        scale: Factor of the result.
    """
    return change_targets(cosine, labels, lambda target: target - margin) * scale


class CosFaceLoss(HeadLoss):
    """Cross-entropy of scaled cosines, with an additive cosine margin on the own class.

    Equation:
        ``L = -log(exp(s (cos t_y - m)) / (exp(s (cos t_y - m)) + sum_{j != y} exp(s cos t_j)))``

    Paper:
        Wang et al. 2018, CosFace, eq. 4; arXiv 1801.09414. The same as AM-Softmax, Wang et al. 2018.

    Paper values:
        margin 0.35, scale 64; AM-Softmax has scale 30; WebFace260M has margin 0.4.

    Args:
        dimension: Length of an embedding.
        classes: Number of classes.
        margin: In cosine.
        scale: Factor of the cosines.
    """

    def __init__(self, dimension: int, classes: int, *, margin: float = 0.35, scale: float = 64.0) -> None:
        super().__init__(dimension, classes, scale=scale)
        self.margin = margin

    def apply_margin(self, cosine: Tensor, rows: Rows) -> Tensor:
        """See `cosface_logits`."""
        return cosface_logits(cosine, rows.columns, margin=self.margin, scale=1.0)
