"""Semantic bootstrapping: labels that are corrected by what the network believes."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from visavis.errors import UsageError
from visavis.losses.softmax import SoftmaxLoss

BootstrapMode = Literal["hard", "soft"]
"""Whether the network's belief is its best class or all its probabilities."""


def bootstrap_loss(logits: Tensor, labels: Tensor, *, trust: float = 0.8, mode: BootstrapMode = "hard") -> Tensor:
    """Cross-entropy with a target between the label and the prediction.

    Args:
        logits: ``(B, C)``.
        labels: int64 ``(B,)``.
        trust: beta, the share of the label in the target; 1 for plain cross-entropy.
        mode: ``hard``: the prediction is the best class, without gradient. ``soft``: it is all probabilities,
            and the gradient goes through them.

    Raises:
        UsageError: Another word for ``mode``.
    """
    if mode not in get_args(BootstrapMode):
        raise UsageError(f"the mode of bootstrapping is one of {', '.join(get_args(BootstrapMode))}; got {mode!r}")
    logs = logits.log_softmax(1)
    given = logs.gather(1, labels[:, None])[:, 0]
    believed = logs.amax(1) if mode == "hard" else (logs.exp() * logs).sum(1)
    return -(trust * given + (1 - trust) * believed).mean()


class BootstrapLoss(SoftmaxLoss):
    """A linear classifier that believes its labels only in part.

    Equation:
        ``L = -sum_k (beta t_k + (1 - beta) u_k) log q_k``, ``t`` the label; ``u`` is ``q`` itself (soft) or 1 at the
        largest ``q`` (hard)

    Paper:
        Reed et al. 2014, Training deep neural networks on noisy labels with bootstrapping, section 3;
        arXiv 1412.6596. Light CNN relabels between two trainings instead: `visavis.losses.relabel.relabel`.

    Paper values:
        beta 0.8 hard, 0.95 soft.

    Args:
        dimension: Length of an embedding.
        classes: Number of classes.
        mode: ``hard`` or ``soft``.
        trust: beta; the paper's of the mode when omitted.
        bias: Whether each class has a bias.
    """

    def __init__(
        self,
        dimension: int,
        classes: int,
        *,
        mode: BootstrapMode = "hard",
        trust: float | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__(dimension, classes, bias=bias)
        self.trust = (0.8 if mode == "hard" else 0.95) if trust is None else trust
        if mode not in get_args(BootstrapMode) or not 0 <= self.trust <= 1:
            raise UsageError(
                f"bootstrapping takes a mode of {', '.join(get_args(BootstrapMode))} and a trust in [0, 1]; "
                f"got {mode!r} and {trust}"
            )
        self.mode = mode

    def compute(self, embeddings: Tensor, target: Tensor, other: Tensor | None = None) -> Tensor:
        """See `bootstrap_loss`; plain cross-entropy in evaluation mode."""
        logits = self.logits(embeddings, target)
        self.seen = {"agree": (logits.detach().argmax(1) == target).to(torch.float32).mean()}
        return bootstrap_loss(logits, target, trust=self.trust if self.training else 1.0, mode=self.mode)
