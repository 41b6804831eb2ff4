"""Classifiers on the unit sphere, where margins live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor

from visavis.errors import UsageError
from visavis.losses.classifier import ClassifierLoss
from visavis.losses.cosines import cosines
from visavis.losses.cross_entropy import scaled_cross_entropy
from visavis.losses.loss import UNLABELLED, full_precision


@dataclass(frozen=True, slots=True)
class Rows:
    """What a margin may depend on besides the cosines: one value a row of the batch.

    Attributes:
        columns: int64 ``(B,)``, the column of a row's own class; -1 without a label, or where that class is
            not among the columns.
        labelled: bool ``(B,)``, whether the row has a class.
        targets: ``(B,)``, the cosine with the own class wherever it is, without gradient; 0 without a label.
        norms: ``(B,)``, Euclidean norm of the embedding, with gradient.
    """

    columns: Tensor
    labelled: Tensor
    targets: Tensor
    norms: Tensor


class HeadLoss(ClassifierLoss):
    """A classifier on the unit sphere: cosines with class centres, a margin, a scale, cross-entropy.

    A head implements `apply_margin`, and says in `no_margin` how to take its margin away. In evaluation mode there
    is none.

    Args:
        dimension: Length of an embedding.
        classes: Number of classes.
        scale: Factor of the cosines before the softmax; None for the norm of each embedding.
        vectors: Centres held for each class.

    Attributes:
        weight: Class centres ``(classes * vectors, dimension)``, of any norm.
        no_margin: Options with which training is that of `visavis.losses.normface.NormFaceLoss`; None where there
            are none.
    """

    no_margin: ClassVar[Mapping[str, Any] | None] = MappingProxyType({"margin": 0.0})

    def __init__(self, dimension: int, classes: int, *, scale: float | None = 64.0, vectors: int = 1) -> None:
        super().__init__(dimension, classes, vectors=vectors)
        if scale is not None and not scale > 0:
            raise UsageError(f"the scale of a head is above 0; got {scale}")
        self.scale = scale

    def cosine(self, embeddings: Tensor, *, classes: Tensor | None = None) -> Tensor:
        """Cosine of each embedding with each class, that of its nearest centre: ``(B, C)``, float32 or better.

        Args:
            embeddings: Float ``(B, D)``, of any norm.
            classes: int64 ``(K,)``, the classes to score; all when omitted.
        """
        values = self.centre_cosines(embeddings, classes=classes)
        return values.amax(2) if self.vectors > 1 else values.squeeze(2)

    def centre_cosines(self, embeddings: Tensor, *, classes: Tensor | None = None) -> Tensor:
        """Cosine of each embedding with each centre of each class: ``(B, C, vectors)``, float32 or better."""
        with torch.autocast(embeddings.device.type, enabled=False):
            values = full_precision(embeddings)
            found = cosines(values, self.vectors_of(classes).to(values.dtype))
            return found.view(len(values), -1, self.vectors)

    def apply_margin(self, cosine: Tensor, rows: Rows) -> Tensor:
        """Cosines with margin.

        Args:
            cosine: ``(B, C)`` plain cosines.
            rows: What else the margin may depend on. Rows whose column is -1 get no margin on a target.
        """
        raise NotImplementedError

    def penalty(self, embeddings: Tensor) -> Tensor | float:
        """What is added to the cross-entropy, in training and evaluation."""
        return 0.0

    def margin_cosines(self, embeddings: Tensor, labels: Tensor, *, classes: Tensor | None = None) -> Tensor:
        """Cosines, with margin in training mode, before the scale: see `logits`."""
        self.check_batch(embeddings, labels, classes)
        cosine = self.cosine(embeddings, classes=classes)
        if not self.training:
            return cosine
        rows = self._rows(embeddings, labels, cosine, classes)
        if bool(rows.labelled.any()):
            self.seen["target_cosine"] = rows.targets[rows.labelled].mean()
        return self.apply_margin(cosine, rows)

    def logits(self, embeddings: Tensor, labels: Tensor, *, classes: Tensor | None = None) -> Tensor:
        """`margin_cosines` times the scale; see `ClassifierLoss.logits`."""
        values = self.margin_cosines(embeddings, labels, classes=classes)
        if self.scale is not None:
            return values * self.scale
        norms: Tensor = torch.linalg.vector_norm(full_precision(embeddings), dim=1)
        return values * norms[:, None]

    def compute(self, embeddings: Tensor, target: Tensor, other: Tensor | None = None) -> Tensor:
        """Mean cross-entropy of `logits`, plus `penalty`."""
        if self.scale is None:
            return super().compute(embeddings, target) + self.penalty(embeddings)
        values = self.margin_cosines(embeddings, target)
        return scaled_cross_entropy(values, target, scale=self.scale) + self.penalty(embeddings)

    def _rows(self, embeddings: Tensor, labels: Tensor, cosine: Tensor, classes: Tensor | None) -> Rows:
        own, labelled = labels.clamp_min(0), labels != UNLABELLED
        with torch.no_grad():
            if classes is None:
                targets = cosine.gather(1, own[:, None])[:, 0]
            else:
                present, places = own.unique(return_inverse=True)
                targets = self.cosine(embeddings, classes=present).gather(1, places[:, None])[:, 0]
            targets = targets.where(labelled, 0.0)
        norms = torch.linalg.vector_norm(full_precision(embeddings), dim=1)
        return Rows(self.columns_of(labels, classes), labelled, targets, norms)
