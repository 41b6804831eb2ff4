"""Supervised contrastive loss: all pictures of a person are positives of each other."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from visavis.errors import UsageError
from visavis.losses.loss import Loss
from visavis.losses.pairs import pair_masks

Form = Literal["out", "in"]
"""Whether the mean over positives stands outside or inside of the logarithm."""


def supervised_contrastive_loss(similarities: Tensor, same: Tensor, *, form: Form = "out") -> Tensor:
    """Mean over the rows that have a positive.

    Args:
        similarities: ``(B, B)`` cosines over the temperature; the diagonal is not used.
        same: bool ``(B, B)``, positives of each row, false on the diagonal.
        form: ``out``: ``-mean_p log(e_p / sum_a e_a)``. ``in``: ``-log(mean_p e_p / sum_a e_a)``.

    Raises:
        UsageError: Another word for ``form``.
    """
    if form not in get_args(Form):
        raise UsageError(f"the form of the loss is one of {', '.join(get_args(Form))}; got {form!r}")
    itself = torch.eye(len(similarities), dtype=torch.bool, device=similarities.device)
    rows = same.any(1)
    logs = similarities.masked_fill(itself, -torch.inf).log_softmax(1)[rows]
    mine = same[rows]
    count = mine.sum(1)
    if form == "out":
        return -(logs.masked_fill(~mine, 0.0).sum(1) / count).mean()
    return (count.to(logs.dtype).log() - logs.masked_fill(~mine, -torch.inf).logsumexp(1)).mean()


class SupervisedContrastiveLoss(Loss):
    """Softmax over the pictures of the batch, where those of the same person are the right answers.

    Equation:
        ``L_out = mean_i -1/|P(i)| sum_{p in P(i)} log(exp(z_i . z_p / tau) / sum_{a != i} exp(z_i . z_a / tau))``;
        ``L_in = mean_i -log(1/|P(i)| sum_{p in P(i)} exp(z_i . z_p / tau) / sum_{a != i} exp(z_i . z_a / tau))``,
        ``z`` unit embeddings

    Paper:
        Khosla et al. 2020, Supervised contrastive learning, eq. 2 (out, the better one) and 3 (in);
        arXiv 2004.11362.

    Paper values:
        temperature 0.1.

    Args:
        temperature: tau.
        form: ``out`` or ``in``.
    """

    def __init__(self, *, temperature: float = 0.1, form: Form = "out") -> None:
        super().__init__()
        if not temperature > 0 or form not in get_args(Form):
            raise UsageError(
                f"this loss takes a temperature above 0 and a form of {', '.join(get_args(Form))}; "
                f"got {temperature} and {form!r}"
            )
        self.temperature, self.form = temperature, form

    def compute(self, embeddings: Tensor, target: Tensor, other: Tensor | None = None) -> Tensor:
        """See `supervised_contrastive_loss`."""
        same, different = pair_masks(target)
        units = F.normalize(embeddings)
        cosines = units @ units.T
        self.seen = {
            "same_cosine": cosines.detach()[same].mean(),
            "different_cosine": cosines.detach()[different].mean(),
        }
        return supervised_contrastive_loss(cosines / self.temperature, same, form=self.form)
