"""Index diversion: the index of a face lies some deviations above those of the unrecognisable."""

from __future__ import annotations

import torch
from torch import Tensor

from visavis.errors import UsageError
from visavis.losses.loss import full_precision

FLOOR = 1e-3
"""The least deviation of the unrecognisable that is divided by."""


def index_diversion(
    scores: Tensor, mean: Tensor | float, deviation: Tensor | float, *, tau: float = 3.0, floor: float = FLOOR
) -> Tensor:
    """``mean_i max(0, tau - (s_i - mu) / sigma)``, a scalar.

    A hinge on the z-score, after the deviation networks of Pang et al. 2019 (there tau 5), in Chai et al. 2023 (arXiv
    2304.10066); the division by sigma and tau 3 are a reconstruction. The gradient is 0 for easy faces and the same,
    ``-1 / (sigma B)``, for each hard one. It has no entry among the losses of a recipe: it takes scores and two
    statistics, neither embeddings nor targets.

    Args:
        scores: Float ``(B,)``: guessed indexes of faces.
        mean: mu, of the guesses for unrecognisable images. Where it has a gradient these are pushed down as faces are
            pushed up, so that raising all guesses alike gains nothing; with a constant it does, and the next mean is as
            much higher.
        deviation: sigma, of the same; no gradient goes to it.
        tau: Deviations that are wanted.
        floor: sigma is not taken below this.

    Raises:
        UsageError: No scores, or an option that is not above 0.
    """
    if scores.ndim != 1 or not len(scores):
        raise UsageError(f"scores are float (B,), one at least; got {tuple(scores.shape)}")
    if not (tau > 0 and floor > 0):
        raise UsageError(f"tau and the floor of sigma are above 0; got {tau} and {floor}")
    values = full_precision(scores)
    spread = torch.as_tensor(deviation, device=values.device).detach()
    return (tau - (values - mean) / spread.clamp_min(floor)).clamp_min(0).mean()
