"""AdaFace: a margin that depends on the norm of the embedding, which tells the quality of the picture."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from visavis.errors import UsageError
from visavis.losses.head import HeadLoss, Rows
from visavis.losses.targets import change_targets

_SMALL = 1e-3
_NORMS = (1e-3, 100.0)


def relative_quality(norms: Tensor, *, mean: Tensor, deviation: Tensor, concentration: float = 0.333) -> Tensor:
    """Norms of a batch against their running statistics: ``clip(h (|z| - mean) / deviation, -1, 1)``.

    Args:
        norms: ``(B,)``; used without gradient.
        mean: Running mean, a scalar.
        deviation: Running standard deviation, a scalar.
        concentration: h; at 0.333 about two thirds of a batch lie within (-0.333, 0.333).
    """
    centred = (norms.detach() - mean) / (deviation + _SMALL)
    return (concentration * centred).clamp(-1.0, 1.0)


def adaface_logits(
    cosine: Tensor, labels: Tensor, quality: Tensor, *, margin: float = 0.4, scale: float = 64.0
) -> Tensor:
    """``s (cos(theta_y - m q) - m (1 + q))`` at each row's own class, ``s cos(theta_j)`` elsewhere.

    Args:
        cosine: ``(B, C)``, in [-1, 1].
        labels: int64 ``(B,)``; -1 for no margin on that row.
        quality: ``(B,)`` in [-1, 1], see `relative_quality`. At 0 the margin is that of CosFace, at -1 that of
            ArcFace.
        margin: m.
        scale: Factor of the result.
    """

    def change(target: Tensor) -> Tensor:
        angle = target.clamp(-1.0 + _SMALL, 1.0 - _SMALL).acos() - margin * quality
        return angle.clamp(_SMALL, math.pi - _SMALL).cos() - margin * (1.0 + quality)

    return change_targets(cosine, labels, change) * scale


class AdaFaceLoss(HeadLoss):
    """Cross-entropy of scaled cosines, with a margin that stresses hard faces only where quality is good.

    Running statistics of the norms are buffers; each training call updates them with its rows that have a
    label, before they are used. One row alone changes the mean only.

    Equation:
        ``L = -log(exp(s f(t_y)) / (exp(s f(t_y)) + sum_{j != y} exp(s cos t_j)))``,
        ``f(t) = cos(t - m q) - m (1 + q)``, ``q = clip(h (|z| - mean) / deviation, -1, 1)``

    Paper:
        Kim et al. 2022, AdaFace, section 3; arXiv 2204.00964. Angles and cosines are held 1e-3 away from the
        poles and norms in [0.001, 100], as in the authors' code.

    Paper values:
        margin 0.4, h 0.333, scale 64, momentum of the running statistics 0.99.

    Args:
        dimension: Length of an embedding.
        classes: Number of classes.
        margin: m.
        concentration: h.
        scale: Factor of the cosines.
        momentum: Share of the old statistics in the new ones.

    Attributes:
        norm_mean: Running mean of the norms, a buffer; begins at 20.
        norm_deviation: Running standard deviation of the norms, a buffer; begins at 100.
    """

    norm_mean: Tensor
    norm_deviation: Tensor

    def __init__(
        self,
        dimension: int,
        classes: int,
        *,
        margin: float = 0.4,
        concentration: float = 0.333,
        scale: float = 64.0,
        momentum: float = 0.99,
    ) -> None:
        super().__init__(dimension, classes, scale=scale)
        if not 0 <= momentum <= 1:
            raise UsageError(f"the momentum of AdaFace is in [0, 1]; got {momentum}")
        self.margin, self.concentration, self.momentum = margin, concentration, momentum
        self.register_buffer("norm_mean", torch.tensor(20.0))
        self.register_buffer("norm_deviation", torch.tensor(100.0))

    def apply_margin(self, cosine: Tensor, rows: Rows) -> Tensor:
        """See `adaface_logits`; updates the running statistics."""
        norms = rows.norms.detach().clamp(*_NORMS)
        self._update(norms[rows.labelled])
        quality = relative_quality(
            norms, mean=self.norm_mean, deviation=self.norm_deviation, concentration=self.concentration
        ).to(cosine.dtype)
        self.seen |= {"norm_mean": self.norm_mean.clone(), "norm_deviation": self.norm_deviation.clone()}
        return adaface_logits(cosine, rows.columns, quality, margin=self.margin, scale=1.0)

    def _update(self, norms: Tensor) -> None:
        if len(norms) > 0:
            self.norm_mean.lerp_(norms.mean().to(self.norm_mean.dtype), 1.0 - self.momentum)
        if len(norms) > 1:
            self.norm_deviation.lerp_(norms.std().to(self.norm_mean.dtype), 1.0 - self.momentum)
