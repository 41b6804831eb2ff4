"""Perceptibility regression: a network's own guess of an index, without labels at test time."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor
from torch.nn import functional as F

from visavis.errors import UsageError
from visavis.losses.loss import Loss, check_same_shape


class PerceptibilityLoss(Loss):
    """Smooth L1 of values and what they should be, such as guessed and true recognizability indexes ``(B, 1)``.

    Equation:
        ``L = mean_i f(x_i - t_i)``; ``f(e) = e^2 / (2 beta)`` where ``|e| < beta``, ``|e| - beta / 2`` elsewhere

    Paper:
        Chai et al. 2023, Recognizability Embedding Enhancement for very low-resolution face recognition and quality
        estimation; arXiv 2304.10066.

    Paper values:
        beta 0.75.

    Args:
        beta: Where the square ends and the straight line begins.
    """

    target: ClassVar[Literal["label", "embedding", "both"]] = "embedding"

    def __init__(self, *, beta: float = 0.75) -> None:
        super().__init__()
        if not beta > 0:
            raise UsageError(f"beta is above 0; got {beta}")
        self.beta = beta

    def compute(self, embeddings: Tensor, target: Tensor, other: Tensor | None = None) -> Tensor:
        """See the class; the target gets no gradient."""
        check_same_shape(embeddings, target)
        return F.smooth_l1_loss(embeddings, target.detach().to(embeddings.dtype), beta=self.beta)
