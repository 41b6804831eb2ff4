"""ArcFace: a margin that is added to the angle."""

from __future__ import annotations

from torch import Tensor

from visavis.losses.head import HeadLoss, Rows
from visavis.losses.targets import PastPi, add_angle, change_targets


def arcface_logits(
    cosine: Tensor, labels: Tensor, *, margin: Tensor | float = 0.5, scale: float = 64.0, past_pi: PastPi = "rise"
) -> Tensor:
    """``s cos(theta_y + m)`` at each row's own class, ``s cos(theta_j)`` elsewhere.

    Args:
        cosine: ``(B, C)``, in [-1, 1].
        labels: int64 ``(B,)``; -1 for no margin on that row.
        margin: Radians, one or one a row.
        scale: Factor of the result.
        past_pi: What happens where ``theta_y + m`` is above pi; see `visavis.losses.targets.add_angle`.
    """
    return change_targets(cosine, labels, lambda target: add_angle(target, margin, past_pi=past_pi)) * scale


class ArcFaceLoss(HeadLoss):
    """Cross-entropy of scaled cosines, with an additive angular margin on the own class.

    Equation:
        ``L = -log(exp(s cos(t_y + m)) / (exp(s cos(t_y + m)) + sum_{j != y} exp(s cos t_j)))``

    Paper:
        Deng et al. 2019, ArcFace, eq. 3; arXiv 1801.07698.

    Paper values:
        margin 0.5, scale 64.

    Args:
        dimension: Length of an embedding.
        classes: Number of classes.
        margin: Radians.
        scale: Factor of the cosines.
        past_pi: What happens where ``t_y + m`` is above pi: ``rise`` as the equation does, ``linear`` as the
            authors' code does, ``easy`` for its easy margin; see `visavis.losses.targets.add_angle`.
        vectors: Centres held for each class; see `visavis.losses.subcentre.SubcentreLoss`.
    """

    def __init__(
        self,
        dimension: int,
        classes: int,
        *,
        margin: float = 0.5,
        scale: float = 64.0,
        past_pi: PastPi = "rise",
        vectors: int = 1,
    ) -> None:
        super().__init__(dimension, classes, scale=scale, vectors=vectors)
        self.margin = margin
        self.past_pi = past_pi

    def apply_margin(self, cosine: Tensor, rows: Rows) -> Tensor:
        """See `arcface_logits`."""
        return arcface_logits(cosine, rows.columns, margin=self.margin, scale=1.0, past_pi=self.past_pi)
