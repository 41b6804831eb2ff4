"""Embeddings without their share of the unrecognisable, as a target."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from visavis.errors import UsageError
from visavis.losses.loss import Loss, check_same_shape, full_precision

_PARALLEL = 1e-6


def without_direction(embeddings: Tensor, centre: Tensor) -> tuple[Tensor, Tensor]:
    """``v - (v . u) u`` of unit vectors, made a unit vector again.

    Args:
        embeddings: Float ``(B, D)``, of any norm.
        centre: u, ``(D,)``, of any norm above 0.

    Returns:
        ``(B, D)``, and bool ``(B,)``: True where nothing is left, as the embedding is parallel to u; that row is 0.

    Raises:
        UsageError: A centre of another length, or without direction.
    """
    if centre.shape != embeddings.shape[1:]:
        raise UsageError(f"the centre is ({embeddings.shape[1]},) like an embedding; got {tuple(centre.shape)}")
    norm = torch.linalg.vector_norm(full_precision(centre))
    if float(norm) == 0:
        raise UsageError("a centre of length 0 has no direction; make it of unrecognisable images first")
    units = F.normalize(full_precision(embeddings))
    along = full_precision(centre) / norm
    left = units - (units @ along)[:, None] * along
    parallel = torch.linalg.vector_norm(left, dim=1) <= _PARALLEL
    return torch.where(parallel[:, None], 0.0, F.normalize(left)), parallel


class RejectionLoss(Loss):
    """How far embeddings are from others, of the same pictures, that were rid of what is unrecognisable in them.

    Equation:
        ``L = mean_i |x_i / |x_i| - p_i|^2``; ``p = (t - (t . u) u) / |t - (t . u) u|`` of the unit target t

    Paper:
        Chai et al. 2023, Recognizability Embedding Enhancement for very low-resolution face recognition and quality
        estimation; arXiv 2304.10066, the loss of the attention module. The form of p is that of a public derivative.

    Paper values:
        None to set.

    Args:
        centre: u, float ``(D,)``; without one the target is t itself.
    """

    target: ClassVar[Literal["label", "embedding", "both"]] = "embedding"

    def __init__(self, centre: Tensor | None = None) -> None:
        super().__init__()
        self.centre = centre

    def compute(self, embeddings: Tensor, target: Tensor, other: Tensor | None = None) -> Tensor:
        """See the class; targets get no gradient, and rows that are parallel to u do not enter.

        Raises:
            UsageError: Shapes that do not fit.
        """
        check_same_shape(embeddings, target)
        return rejection(embeddings, target, self.centre)


def rejection(embeddings: Tensor, target: Tensor, centre: Tensor | None) -> Tensor:
    """``mean |x / |x| - p|^2``, a scalar; see `RejectionLoss`. 0 where every row is parallel to the centre."""
    target = full_precision(target.detach())
    if centre is None:
        wanted, parallel = F.normalize(target), torch.zeros(len(target), dtype=torch.bool, device=target.device)
    else:
        wanted, parallel = without_direction(target, centre)
    gaps = (F.normalize(full_precision(embeddings)) - wanted).square().sum(1)
    return gaps.where(~parallel, 0.0).sum() / (~parallel).sum().clamp_min(1)
