"""The Task of a recogniser: a backbone, a loss on identities, and what may be added to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from visavis.data.batch import Batch
from visavis.errors import UsageError
from visavis.losses.loss import Loss
from visavis.losses.sharded import ShardedClassifier
from visavis.losses.symface import SymmetryLoss
from visavis.nn.backbones.backbone import Backbone
from visavis.nn.pixels import network_input
from visavis.training.gather import gather_rows
from visavis.training.recipes.symmetry import Symmetry, split_frontal
from visavis.training.recipes.validation import verification_measures
from visavis.training.shards import Shard
from visavis.training.task import StepState, Task

BACKBONE, HEAD, SYMMETRY = "backbone", "head", "symmetry"


def check_term_names(names: Iterable[str]) -> None:
    """Refuse names of terms that the losses of a recogniser have already.

    Raises:
        UsageError: The message says which names are taken.
    """
    for name in names:
        if not name.strip() or name in ("loss", SYMMETRY) or "/" in name:
            raise UsageError(f"a term may not be called {name!r}: loss and {SYMMETRY} are taken, and / divides names")


class RecogniserTask(Task):
    """Minimises a loss of identities, or of a teacher's embeddings, over the embeddings of a backbone.

    Parameter groups: ``backbone``, and ``head`` where the losses have weights. Crops of another side than the
    backbone's are resized. A crop of label -1 adds nothing to a loss on labels, which stays a mean over the batch.

    Args:
        backbone: What is trained.
        loss: The main loss.
        terms: Further losses on the same embeddings and labels: name -> loss and weight, such as the centre loss.
        symmetry: The SymFace term, or None.
        targets: float ``(N, D)``: a teacher's embedding of each row of the loader, for losses on embeddings.
        name_of: Names of rows of the loader, for reports on a broken batch.
    """

    def __init__(
        self,
        backbone: Backbone,
        loss: Loss,
        *,
        terms: Mapping[str, tuple[Loss, float]] | None = None,
        symmetry: Symmetry | None = None,
        targets: NDArray[np.floating] | None = None,
        name_of: Callable[[NDArray[np.int64]], Sequence[str]] | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.loss = loss
        check_term_names(terms or {})
        self.terms = nn.ModuleList([part for part, _ in (terms or {}).values()])
        self._weights = {name: weight for name, (_, weight) in (terms or {}).items()}
        self._symmetry = symmetry
        self._halves = SymmetryLoss(threshold=0.0 if symmetry is None else symmetry.threshold)
        self._targets = None if targets is None else torch.as_tensor(np.asarray(targets, np.float32))
        self._name_of = name_of
        self._seen: dict[str, float] = {}

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """The backbone, and the weights of the losses where they have any."""
        head = [*self.loss.parameters(), *self.terms.parameters()]
        groups = {BACKBONE: list(self.backbone.parameters()), HEAD: head}
        return {
            name: trained
            for name, group in groups.items()
            if (trained := [parameter for parameter in group if parameter.requires_grad])
        }

    def shards(self) -> dict[str, Shard]:
        """The weights of a sharded classifier."""
        parts = self.loss.shards() if isinstance(self.loss, ShardedClassifier) else {}
        return {f"loss.{key}": shard for key, shard in parts.items()}

    def inputs(self, pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
        """uint8 RGB ``(B, S, S, 3)`` to what the backbone takes, by its contract."""
        return network_input(torch.from_numpy(pixels).to(device), self.backbone.contract)

    def step(self, batch: Batch, state: StepState) -> dict[str, Tensor]:
        """The losses of a batch, of all processes; see the class."""
        images = self.inputs(batch.pixels, state.device)
        labels = torch.from_numpy(batch.labels).to(state.device)
        weight = 0.0 if self._symmetry is None else self._symmetry.weight_at(state.epoch)
        if self._symmetry is None or weight == 0:
            return self._losses(self.backbone(images), labels, batch, state)
        scale = images.shape[3] / batch.pixels.shape[2]
        points = (torch.from_numpy(batch.landmarks).to(state.device) + 0.5) * scale - 0.5
        halves = split_frontal(images, points, self._symmetry)
        whole, left, right = self.backbone(torch.cat([images, halves.left, halves.right])).split(
            [len(images), len(halves.left), len(halves.right)]
        )
        losses = self._losses(whole, labels, batch, state)
        left, right, frontality = (gather_rows(part, state.group) for part in (left, right, halves.frontality))
        losses[SYMMETRY] = weight * self._halves(left, right, frontality)
        self._seen |= self._halves.measures()
        return losses

    def measures(self) -> dict[str, float]:
        """What the losses saw in the last step."""
        return dict(self._seen)

    def validate(self, batch: Batch) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Embeddings and labels of a validation batch."""
        device = next(self.backbone.parameters()).device
        embeddings = self.backbone(self.inputs(batch.pixels, device))
        return embeddings.float().cpu().numpy(), batch.labels

    def summarise(self, outputs: Sequence[Any]) -> dict[str, float]:
        """Verification over all pairs of the validation rows; see `verification_measures`."""
        vectors = np.concatenate([part[0] for part in outputs])
        return verification_measures(vectors, np.concatenate([part[1] for part in outputs]))

    def describe(self, batch: Batch) -> dict[str, Any]:
        """Rows, labels and, where known, names of a batch."""
        about: dict[str, Any] = {"rows": batch.rows.tolist(), "labels": batch.labels.tolist()}
        if self._name_of is not None:
            about["names"] = list(self._name_of(batch.rows))
        return about

    def _losses(self, embeddings: Tensor, labels: Tensor, batch: Batch, state: StepState) -> dict[str, Tensor]:
        with state.full_precision(), state.common_randomness():
            values, labels = gather_rows(embeddings.float(), state.group), gather_rows(labels, state.group)
            rows = torch.from_numpy(batch.rows)
            if self._targets is not None:
                rows = gather_rows(rows.to(embeddings.device), state.group).cpu()
            losses = {"loss": self._one(self.loss, values, labels, rows)}
            for (name, weight), part in zip(self._weights.items(), self.terms, strict=True):
                losses[name] = weight * self._one(part, values, labels, rows)
        self._seen = self.loss.measures()
        for name, part in zip(self._weights, self.terms, strict=True):
            measured: dict[str, float] = part.measures()  # type: ignore[operator]
            self._seen |= {f"{name}/{key}": value for key, value in measured.items()}
        return losses

    def _one(self, loss: Any, embeddings: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
        given = [labels]
        if loss.target != "label":
            assert self._targets is not None
            wanted = self._targets[rows].to(embeddings.device)
            given = [wanted] if loss.target == "embedding" else [labels, wanted]
        known = labels >= 0
        if loss.target == "embedding" or known.all():
            result: Tensor = loss(embeddings, *given)
            return result
        if not known.any():
            return embeddings.sum() * 0
        result = loss(embeddings[known], *(part[known] for part in given))
        return result * known.float().mean()
