"""CurricularFace: hard negatives weigh little at first and more as training goes on."""

from __future__ import annotations

import torch
from torch import Tensor

from visavis.errors import UsageError
from visavis.losses.arcface import arcface_logits
from visavis.losses.head import HeadLoss, Rows
from visavis.losses.targets import PastPi, add_angle, others_above


def curricular_logits(
    cosine: Tensor,
    labels: Tensor,
    targets: Tensor,
    *,
    progress: Tensor | float,
    margin: float = 0.5,
    scale: float = 64.0,
    past_pi: PastPi = "rise",
) -> Tensor:
    """``s cos(theta_y + m)`` at each row's own class, ``s N(t, cos(theta_j))`` elsewhere.

    Args:
        cosine: ``(B, C)``, in [-1, 1].
        labels: int64 ``(B,)``, the own column; -1 where it is not among the columns.
        targets: ``(B,)``, cosine with the own class wherever it is; infinity for a row without a class, which
            stays as it is. Used without gradient.
        progress: t, 0 at the beginning.
        margin: Radians.
        scale: Factor of the result.
        past_pi: See `visavis.losses.targets.add_angle`.
    """
    limits = add_angle(targets.detach(), margin).where(targets.isfinite(), torch.inf)
    hard = others_above(cosine, labels, limits[:, None])
    negatives = torch.where(hard, cosine * (progress + cosine), cosine)
    return arcface_logits(negatives, labels, margin=margin, scale=scale, past_pi=past_pi)


class CurricularFaceLoss(HeadLoss):
    """ArcFace whose hard negatives are weighted by how far training has come.

    Each training call updates the buffer t with the mean cosine of its rows with their own class, before it is
    used.

    Equation:
        ``L = -log(exp(s cos(t_y + m)) / (exp(s cos(t_y + m)) + sum_{j != y} exp(s N(t, cos t_j))))``,
        ``N = cos t_j`` where ``cos(t_y + m) >= cos t_j``, else ``cos t_j (t + cos t_j)``;
        ``t = (1 - momentum) mean_i cos t_y + momentum t``

    Paper:
        Huang et al. 2020, CurricularFace, section 3.2; arXiv 2004.00288.

    Paper values:
        margin 0.5, scale 64, momentum 0.99, t from 0. The authors' code has ``past_pi`` linear.

    Args:
        dimension: Length of an embedding.
        classes: Number of classes.
        margin: Radians.
        scale: Factor of the cosines.
        momentum: Share of the old t in the new one.
        past_pi: What happens where ``t_y + m`` is above pi; see `visavis.losses.targets.add_angle`.

    Attributes:
        progress: t, a buffer.
    """

    no_margin = None
    progress: Tensor

    def __init__(
        self,
        dimension: int,
        classes: int,
        *,
        margin: float = 0.5,
        scale: float = 64.0,
        momentum: float = 0.99,
        past_pi: PastPi = "rise",
    ) -> None:
        super().__init__(dimension, classes, scale=scale)
        if not 0 <= momentum <= 1:
            raise UsageError(f"the momentum of CurricularFace is in [0, 1]; got {momentum}")
        self.margin, self.momentum, self.past_pi = margin, momentum, past_pi
        self.register_buffer("progress", torch.tensor(0.0))

    def apply_margin(self, cosine: Tensor, rows: Rows) -> Tensor:
        """See `curricular_logits`; updates t."""
        known = rows.targets[rows.labelled]
        if len(known):
            self.progress.lerp_(known.mean().to(self.progress.dtype), 1.0 - self.momentum)
        self.seen["t"] = progress = self.progress.clone()
        return curricular_logits(
            cosine,
            rows.columns,
            rows.targets.where(rows.labelled, torch.inf),
            progress=progress.to(cosine.dtype),
            margin=self.margin,
            scale=1.0,
            past_pi=self.past_pi,
        )
