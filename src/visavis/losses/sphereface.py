"""SphereFace: a margin that multiplies the angle."""

from __future__ import annotations

import math
from types import MappingProxyType

import torch
from torch import Tensor

from visavis.errors import UsageError
from visavis.losses.head import HeadLoss, Rows
from visavis.losses.targets import change_targets


def multiply_angle(cosine: Tensor, times: int) -> Tensor:
    """``psi(theta) = (-1)^k cos(m theta) - 2 k`` on ``k pi / m <= theta <= (k + 1) pi / m``, which falls with theta.

    ``cos(m theta)`` is the Chebyshev polynomial of the cosine, so that the gradient is finite everywhere.

    Args:
        cosine: Any shape, in [-1, 1].
        times: The whole number m, 1 or more.
    """
    held = cosine.clamp(-1.0, 1.0)
    before, multiple = torch.ones_like(held), held
    for _ in range(times - 1):
        before, multiple = multiple, 2 * held * multiple - before
    piece = (held.detach().acos() * (times / math.pi)).floor().clamp_max(times - 1)
    return (1 - 2 * (piece % 2)) * multiple - 2 * piece


def sphereface_logits(cosine: Tensor, labels: Tensor, *, margin: int = 4, softness: float = 5.0) -> Tensor:
    """``(lambda cos(theta_y) + psi(theta_y)) / (1 + lambda)`` at each row's own class, ``cos(theta_j)`` elsewhere.

    Args:
        cosine: ``(B, C)``, in [-1, 1].
        labels: int64 ``(B,)``; -1 for no margin on that row.
        margin: The whole number that multiplies the angle.
        softness: lambda; 0 for the whole margin.

    Returns:
        ``(B, C)``, to be multiplied by the norm of each embedding.
    """

    def soften(target: Tensor) -> Tensor:
        return (softness * target + multiply_angle(target, margin)) / (1 + softness)

    return change_targets(cosine, labels, soften)


class SphereFaceLoss(HeadLoss):
    """Cross-entropy of cosines times the norm of the embedding, with a multiplicative angular margin.

    The margin is let in slowly: ``lambda = max(floor, base (1 + decay n)^-1)`` after n training calls.

    Equation:
        ``L = -log(exp(|x| f(t_y)) / (exp(|x| f(t_y)) + sum_{j != y} exp(|x| cos t_j)))``,
        ``f = (lambda cos t + psi(t)) / (1 + lambda)``, ``psi(t) = (-1)^k cos(m t) - 2 k`` on
        ``[k pi / m, (k + 1) pi / m]``

    Paper:
        Liu et al. 2017, SphereFace, eq. 7; lambda is described with the authors' code; arXiv 1704.08063.

    Paper values:
        margin 4; lambda from 1000 with decay 0.12 down to 5; no fixed scale.

    Args:
        dimension: Length of an embedding.
        classes: Number of classes.
        margin: The whole number that multiplies the angle, 1 for none.
        base: lambda at the first call.
        decay: How fast lambda falls.
        floor: Where lambda stops.
        scale: Factor of the cosines in place of the norm of each embedding.

    Attributes:
        calls: Training calls so far, a buffer.
    """

    no_margin = MappingProxyType({"margin": 1})
    calls: Tensor

    def __init__(
        self,
        dimension: int,
        classes: int,
        *,
        margin: int = 4,
        base: float = 1000.0,
        decay: float = 0.12,
        floor: float = 5.0,
        scale: float | None = None,
    ) -> None:
        super().__init__(dimension, classes, scale=scale)
        if margin != int(margin) or margin < 1 or min(base, decay, floor) < 0:
            raise UsageError(
                "SphereFace takes a whole margin of 1 or more, and base, decay and floor of 0 or more; "
                f"got {margin}, {base}, {decay}, {floor}"
            )
        self.margin = int(margin)
        self.base, self.decay, self.floor = base, decay, floor
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    @property
    def softness(self) -> float:
        """lambda of the next call."""
        return max(self.floor, self.base / (1 + self.decay * int(self.calls)))

    def apply_margin(self, cosine: Tensor, rows: Rows) -> Tensor:
        """See `sphereface_logits`; counts the call."""
        softness = self.softness
        self.calls += 1
        self.seen["lambda"] = softness
        return sphereface_logits(cosine, rows.columns, margin=self.margin, softness=softness)
