"""MagFace: a margin that grows with the norm of the embedding, and a reward for norms."""

from __future__ import annotations

from types import MappingProxyType

import torch
from torch import Tensor

from visavis.errors import UsageError
from visavis.losses.arcface import arcface_logits
from visavis.losses.head import HeadLoss, Rows
from visavis.losses.targets import PastPi


def magnitude_margins(
    norms: Tensor, *, norm_span: tuple[float, float] = (10.0, 110.0), margin_span: tuple[float, float] = (0.45, 0.8)
) -> Tensor:
    """Margins in radians, linear in the norm: ``(u_m - l_m) / (u_a - l_a) (a - l_a) + l_m``.

    Args:
        norms: ``(B,)``, held within ``norm_span``; the gradient goes through.
        norm_span: l_a and u_a.
        margin_span: l_m and u_m.
    """
    low, high = norm_span
    least, most = margin_span
    return (most - least) / (high - low) * (norms.clamp(low, high) - low) + least


def magnitude_regulariser(norms: Tensor, *, norm_span: tuple[float, float] = (10.0, 110.0)) -> Tensor:
    """``g(a) = a / u_a^2 + 1 / a``, which falls up to u_a: ``(B,)`` norms, held within the span, to ``(B,)``."""
    held = norms.clamp(*norm_span)
    return held / norm_span[1] ** 2 + 1 / held


class MagFaceLoss(HeadLoss):
    """ArcFace whose margin grows with the norm of the embedding, so that the norm tells the quality.

    Equation:
        ``L = mean_i[-log(exp(s cos(t_y + m(a_i))) / (exp(s cos(t_y + m(a_i))) + sum_{j != y} exp(s cos t_j)))
        + lambda_g g(a_i)]``, ``a = |x|``, ``m(a) = (u_m - l_m) / (u_a - l_a) (a - l_a) + l_m``,
        ``g(a) = a / u_a^2 + 1 / a``

    Paper:
        Meng et al. 2021, MagFace, section 3.2; arXiv 2103.06627.

    Paper values:
        norms 10 to 110, margins 0.45 to 0.8, lambda_g 35, scale 64. Norms outside are held at the ends; the
        authors' code has ``past_pi`` easy.

    Args:
        dimension: Length of an embedding.
        classes: Number of classes.
        norm_span: l_a and u_a.
        margin_span: l_m and u_m, radians.
        regulariser: lambda_g.
        scale: Factor of the cosines.
        past_pi: What happens where the angle passes pi; see `visavis.losses.targets.add_angle`.
    """

    no_margin = MappingProxyType({"margin_span": (0.0, 0.0), "regulariser": 0.0})

    def __init__(
        self,
        dimension: int,
        classes: int,
        *,
        norm_span: tuple[float, float] = (10.0, 110.0),
        margin_span: tuple[float, float] = (0.45, 0.8),
        regulariser: float = 35.0,
        scale: float = 64.0,
        past_pi: PastPi = "rise",
    ) -> None:
        super().__init__(dimension, classes, scale=scale)
        if not 0 < norm_span[0] < norm_span[1]:
            raise UsageError(f"the span of norms is (l_a, u_a) with 0 < l_a < u_a; got {norm_span}")
        self.norm_span, self.margin_span = norm_span, margin_span
        self.regulariser = regulariser
        self.past_pi = past_pi

    def apply_margin(self, cosine: Tensor, rows: Rows) -> Tensor:
        """See `visavis.losses.arcface.arcface_logits`, with `magnitude_margins`."""
        margins = magnitude_margins(rows.norms, norm_span=self.norm_span, margin_span=self.margin_span)
        return arcface_logits(cosine, rows.columns, margin=margins, scale=1.0, past_pi=self.past_pi)

    def penalty(self, embeddings: Tensor) -> Tensor:
        """``lambda_g`` times the mean of `magnitude_regulariser`, in training and evaluation."""
        norms = torch.linalg.vector_norm(embeddings, dim=1)
        self.seen["norm"] = norms.detach().mean()
        return self.regulariser * magnitude_regulariser(norms, norm_span=self.norm_span).mean()
