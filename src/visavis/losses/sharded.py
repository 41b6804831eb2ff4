"""A classifier of very many classes, split over processes: Partial FC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from visavis.errors import UsageError
from visavis.losses.classifier import ClassifierLoss
from visavis.losses.cross_entropy import scaled_cross_entropy
from visavis.losses.head import HeadLoss, Rows
from visavis.losses.loss import Loss, full_precision
from visavis.losses.targets import others_above
from visavis.training.gather import scale_gradient
from visavis.training.group import ALONE, Group
from visavis.training.seeds import mixed_seed, own_randomness
from visavis.training.shards import Shard, shard_of

_BLOCK = 4096


class ShardedClassifier(Loss):
    """A loss with class centres of which each process holds some classes.

    All processes see the embeddings of the whole batch (`visavis.training.gather.gather_rows`) and score them against
    their own classes; the softmax is over all. With every class scored it is the loss it is made of, and the gradient
    of embeddings and centres is that loss's. With a sample, each process scores the classes that occur in the batch and
    others drawn at random, ``int(rate * classes of the process)`` together, or those that occur where they are more;
    only these rows get a gradient, which is row-sparse.

    Equation:
        ``L = mean_i(log sum_k sum_{j in S_k} exp(z_ij) - z_iy)``, ``S_k`` the classes that process k scores

    Paper:
        An et al. 2021, Partial FC: training 10 million identities on a single machine, arXiv 2010.05222; An et al.
        2022, Killing two birds with one stone, CVPR, arXiv 2203.15565, which has the filter too. Used on WebFace42M by
        Zhu et al. 2021, WebFace260M, arXiv 2103.04098.

    Paper values:
        sample rate 0.1 of 10 million classes, 0.2 or 0.3 on WebFace42M, 1 on WebFace4M; filter 0.4 on noisy sets.

    Args:
        kind: Class of the loss, a `ClassifierLoss` that is the mean cross-entropy of its logits: `HeadLoss`, softmax.
        dimension: Length of an embedding.
        classes: Number of classes, of all processes.
        group: The processes.
        sample_rate: Share of the classes that is scored in a step, above 0 up to 1.
        filter_above: Cosines with other classes above this become 0, as likely one person under two labels.
        seed: Of the centres; a class begins with the same centre however many processes there are.
        options: Of the loss.

    Attributes:
        head: The loss over the classes of this process.
        shard: Which these are.

    Raises:
        UsageError: Fewer classes than processes, a loss that is something else beside the cross-entropy of its logits,
            or numbers out of range.
    """

    has_classes = True
    classes: int

    def __init__(
        self,
        kind: Callable[..., Any],
        dimension: int,
        classes: int,
        *,
        group: Group = ALONE,
        sample_rate: float = 1.0,
        filter_above: float | None = None,
        seed: int = 0,
        options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if not 0 < sample_rate <= 1:
            raise UsageError(f"a sample rate is above 0 and at most 1; got {sample_rate}")
        self.classes, self.group = classes, group
        self.sample_rate, self.filter_above = sample_rate, filter_above
        self.shard = shard_of(classes, rank=group.rank, size=group.size)
        with own_randomness([]):
            self.head = kind(dimension=dimension, classes=len(self.shard), **(options or {}))
        _check_kind(self.head)
        if filter_above is not None and not isinstance(self.head, HeadLoss):
            raise UsageError(f"a filter is of cosines, and {type(self.head).__name__} has none; leave it out")
        self.head.sparse = sample_rate < 1
        draw_centres(self.head, self.shard, seed=seed)

    def shards(self) -> dict[str, Shard]:
        """Key of the state -> the rows of it that this process holds: all weights, no statistics."""
        return {
            name: self.shard.times(len(parameter) // len(self.shard)) for name, parameter in self.named_parameters()
        }

    def compute(self, embeddings: Tensor, target: Tensor, other: Tensor | None = None) -> Tensor:
        """See the class.

        Args:
            embeddings: ``(B, D)`` of all processes.
            target: int64 ``(B,)`` of all processes.
            other: None.
        """
        here = (target >= self.shard.start) & (target < self.shard.stop)
        local = (target - self.shard.start).where(here, -1)
        chosen = self.sampled(local) if self.training and self.sample_rate < 1 else None
        # each process computes the gradient of its columns, where gradients are averaged as if each had that of all
        partial = scale_gradient(embeddings, self.group.size)
        if not isinstance(self.head, HeadLoss):
            logits = self.head.logits(partial, local, classes=chosen)
            columns = self.head.columns_of(local, chosen)
            return scaled_cross_entropy(logits, columns, scale=1.0, group=self.group)
        values, columns = self._margin_cosines(partial, local, chosen)
        penalty = self.head.penalty(embeddings)
        self.seen = dict(self.head.seen)
        scale = self.head.scale
        if scale is None:
            values, scale = values * torch.linalg.vector_norm(partial, dim=1)[:, None], 1.0
        return scaled_cross_entropy(values, columns, scale=scale, group=self.group) + penalty

    def sampled(self, local: Tensor) -> Tensor:
        """The classes of this process that are scored, int64 in rising order, drawn by torch's global generator.

        Args:
            local: int64 ``(B,)``, class within the shard, -1 for those of others.
        """
        present: Tensor = local[local >= 0].unique()
        count = max(1, int(self.sample_rate * len(self.shard)))
        draw = int(torch.randint(1 << 62, ()))
        if len(present) >= count:
            return present
        own = torch.Generator().manual_seed(mixed_seed(draw, self.group.rank))
        scores = torch.rand(len(self.shard), generator=own).to(local.device)
        scores[present] = 2.0
        rows: Tensor = scores.topk(count).indices.sort().values
        return rows

    def _margin_cosines(self, embeddings: Tensor, local: Tensor, chosen: Tensor | None) -> tuple[Tensor, Tensor]:
        """Cosines with the classes that are scored, with margin in training, and the own column of each row."""
        self.head.check_batch(embeddings, local, None)
        cosine = self.head.cosine(embeddings, classes=chosen)
        columns = self.head.columns_of(local, chosen)
        if self.filter_above is not None and self.training:
            cosine = cosine.masked_fill(others_above(cosine, columns, self.filter_above), 0.0)
        if not self.training:
            return cosine, columns
        with torch.no_grad():
            mine = cosine.gather(1, columns.clamp_min(0)[:, None])[:, 0].where(columns >= 0, 0.0)
            targets = self.group.total(mine.clone())
        norms = torch.linalg.vector_norm(full_precision(embeddings), dim=1)
        rows = Rows(columns, torch.ones_like(columns, dtype=torch.bool), targets, norms)
        self.head.seen["target_cosine"] = targets.mean()
        return self.head.apply_margin(cosine, rows), columns


@torch.no_grad()
def draw_centres(loss: ClassifierLoss, shard: Shard, *, seed: int) -> None:
    """Fill the centres of some classes with Normal(0, 0.01), the same for a class in any split.

    Args:
        loss: Of the classes of the shard.
        shard: Which classes.
        seed: Of all centres.
    """
    wide = loss.vectors * loss.dimension
    for block in range(shard.start // _BLOCK, (shard.stop - 1) // _BLOCK + 1):
        first = block * _BLOCK
        rng = torch.Generator().manual_seed(mixed_seed(seed, block))
        drawn = torch.empty(_BLOCK, wide).normal_(0.0, 0.01, generator=rng)
        start, stop = max(first, shard.start), min(first + _BLOCK, shard.stop)
        rows = slice((start - shard.start) * loss.vectors, (stop - shard.start) * loss.vectors)
        loss.weight[rows].copy_(drawn[start - first : stop - first].view(-1, loss.dimension))


def _check_kind(head: Any) -> None:
    """Refuse what is more than the cross-entropy of logits.

    Raises:
        UsageError: Names the loss.
    """
    plain = (ClassifierLoss.compute, HeadLoss.compute)
    if not isinstance(head, ClassifierLoss) or type(head).compute not in plain:
        raise UsageError(
            f"{type(head).__name__} is not the cross-entropy of its logits, so its classes cannot be split over "
            "processes; take a margin loss or softmax, or leave the sharded classifier out"
        )
