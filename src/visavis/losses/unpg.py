"""UNPG: the negative pairs of the batch join the softmax of a margin head."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from visavis import registry
from visavis.errors import UsageError
from visavis.losses.head import HeadLoss
from visavis.losses.loss import UNLABELLED, Loss

Scope = Literal["batch", "anchor"]
"""Whose negative pairs a row sees: all of the batch, or those that contain the row."""


def whisker_bounds(similarities: Tensor, *, whisker: float = 1.5) -> tuple[Tensor, Tensor]:
    """The ends of the box-and-whisker plot: ``Q1 - r IQR`` and ``Q3 + r IQR``.

    Args:
        similarities: ``(K,)``, K >= 1.
        whisker: r; infinity keeps everything.

    Returns:
        Two scalars, without gradient. Quartiles are entries of the ascending list at ``int(K / 4)`` and
        ``int(3 K / 4)``, not interpolated.

    Raises:
        UsageError: ``whisker`` is below 0 or no number.
    """
    if not whisker >= 0:
        raise UsageError(f"the whisker of UNPG is 0 or more, the paper's is 1.5; got {whisker}")
    ascending = similarities.detach().sort().values
    first, third = ascending[len(ascending) // 4], ascending[3 * len(ascending) // 4]
    if math.isinf(whisker):
        return torch.full_like(first, -math.inf), torch.full_like(third, math.inf)
    reach = whisker * (third - first)
    return first - reach, third + reach


def whisker_filter(similarities: Tensor, *, whisker: float = 1.5) -> Tensor:
    """Which similarities are not outliers: those within `whisker_bounds`, bounds included.

    Above lie pairs that are likely one person under two labels, below those that teach nothing.

    Args:
        similarities: ``(K,)``; K may be 0.
        whisker: See `whisker_bounds`.

    Returns:
        bool ``(K,)``.

    Raises:
        UsageError: ``whisker`` is below 0.
    """
    lower, upper = whisker_bounds(similarities if len(similarities) else similarities.new_zeros(1), whisker=whisker)
    return (similarities >= lower) & (similarities <= upper)


def negative_pairs(embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The cosines of all pairs of a batch that have different labels, each pair once.

    Args:
        embeddings: ``(B, D)``, of any norm.
        labels: int64 ``(B,)``; rows with -1 are in no pair.

    Returns:
        Cosines ``(K,)`` with gradient, and int64 ``(2, K)``, the two rows of each pair.
    """
    units = F.normalize(embeddings)
    known = labels != UNLABELLED
    differ = (labels[:, None] != labels) & known[:, None] & known
    pairs = differ.triu(diagonal=1).nonzero().T
    return (units @ units.T)[pairs[0], pairs[1]], pairs


def unpg_loss(cosines: Tensor, labels: Tensor, negatives: Tensor, *, scale: float = 64.0) -> Tensor:
    """Mean cross-entropy of scaled cosines, whose sum holds further negatives.

    Nothing is joined to the matrix: ``logaddexp(logsumexp(s z_i), A_i) - s z_iy`` with ``A_i`` the logsumexp of
    the negatives, which has the same value and gradient in memory for ``B C + K``.

    Args:
        cosines: ``(B, C)``, with margin, not scaled.
        labels: int64 ``(B,)``; rows with -1 do not enter.
        negatives: ``(K,)`` cosines that every row sees, or ``(B, K)``, those of each row, with -inf for none.
        scale: Factor of both.
    """
    logits = cosines * scale
    total = torch.logaddexp(logits.logsumexp(1), _log_sum(negatives * scale))
    own = logits.gather(1, labels.clamp_min(0)[:, None])[:, 0]
    return (total - own)[labels != UNLABELLED].mean()


def _log_sum(values: Tensor) -> Tensor:
    """logsumexp over the last axis: -inf, without a gradient of nan, where there is nothing to sum."""
    if values.shape[-1] == 0:
        return values.new_full(values.shape[:-1], -math.inf)
    empty = (values == -math.inf).all(-1)
    return values.masked_fill(empty[..., None], 0.0).logsumexp(-1).masked_fill(empty, -math.inf)


class UNPGLoss(Loss):
    """A margin head whose softmax also holds the filtered negative pairs of the batch.

    In evaluation mode it is the plain loss of the head.

    Equation:
        ``L_i = -log(exp(s g(s_p)) / (exp(s g(s_p)) + sum_{j != y} exp(s cos t_j) + sum_{q in S} exp(s q)))``, with
        ``S`` the cosines of pairs of the batch with different labels that lie within
        ``[Q1 - r (Q3 - Q1), Q3 + r (Q3 - Q1)]``

    Paper:
        Jung et al. 2022, Unified negative pair generation, BMVC; arXiv 2203.11593.

    Paper values:
        whisker r 1.5 on MS1MV2, 1.0 on K-FACE; scale 64; CosFace (0.5 in the authors' code), ArcFace 0.5 or
        MagFace as the head.

    Args:
        dimension: Length of an embedding.
        classes: Number of classes.
        head: Makes the margin head: called with dimension, classes and the options; or a name of the registry.
        head_options: Options of the head, such as its margin and scale.
        whisker: r of the filter; infinity for none.
        scope: ``batch``: each row sees all pairs, as the authors' code does. ``anchor``: those that contain it;
            a gradient about B times weaker, which wants another weight.

    Attributes:
        head: The margin head; its centres are the only weights.
    """

    has_classes = True

    def __init__(
        self,
        dimension: int,
        classes: int,
        *,
        head: Callable[..., HeadLoss] | str = "loss/cosface",
        head_options: Mapping[str, Any] | None = None,
        whisker: float = 1.5,
        scope: Scope = "batch",
    ) -> None:
        super().__init__()
        if scope not in get_args(Scope) or not whisker >= 0:
            raise UsageError(
                f"UNPG takes a scope of {', '.join(get_args(Scope))} and a whisker of 0 or more; "
                f"got {scope!r} and {whisker}"
            )
        make = registry.load(head) if isinstance(head, str) else head
        self.head = make(dimension, classes, **(head_options or {}))
        if not isinstance(self.head, HeadLoss) or self.head.scale is None:
            raise UsageError(f"UNPG wraps a margin head with a fixed scale; got {type(self.head).__name__}")
        self.classes = classes
        self.whisker = whisker
        self.scope = scope

    def compute(self, embeddings: Tensor, target: Tensor, other: Tensor | None = None) -> Tensor:
        """See the class."""
        if not self.training:
            loss: Tensor = self.head(embeddings, target)
            return loss
        cosines = self.head.margin_cosines(embeddings, target)
        similarities, pairs = negative_pairs(embeddings, target)
        kept = self._keep(similarities)
        negatives = similarities[kept]
        if self.scope == "anchor":
            matrix = cosines.new_full((len(target), len(target)), -math.inf)
            left, right = pairs[:, kept]
            places = (torch.cat([left, right]), torch.cat([right, left]))
            negatives = matrix.index_put(places, negatives.repeat(2))
        assert self.head.scale is not None
        joint = unpg_loss(cosines, target, negatives, scale=self.head.scale)
        return joint + self.head.penalty(embeddings)

    def _keep(self, similarities: Tensor) -> Tensor:
        kept = whisker_filter(similarities, whisker=self.whisker)
        self.seen = {**self.head.seen, "negatives_before": float(len(kept)), "negatives_after": kept.sum()}
        if len(kept):
            lower, upper = whisker_bounds(similarities, whisker=self.whisker)
            low, high = similarities.detach().aminmax()
            self.seen |= {"lower": lower, "upper": upper, "min": low, "max": high}
        return kept
