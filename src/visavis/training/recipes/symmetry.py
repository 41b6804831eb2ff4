"""The SymFace term of a recipe: the halves of frontal faces, embedded in the same forward pass as the whole faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from visavis.errors import UsageError
from visavis.losses.symface import frontality, split_faces


@dataclass(frozen=True, slots=True)
class Symmetry:
    """Prakash et al. 2024, arXiv 2409.11816; the values are a reconstruction, see `visavis.losses.symface`.

    Attributes:
        weight: Of the term; 0 leaves out the half faces and gives the plain run bit for bit.
        threshold: Frontality from which a face is split.
        mode: How a half becomes a network input: ``mirror``, ``mask`` or ``resize``.
        warmup: Epochs over which the weight rises linearly from 0.
    """

    weight: float = 1.0
    threshold: float = 0.8
    mode: Literal["mirror", "mask", "resize"] = "mirror"
    warmup: float = 0.0

    def __post_init__(self) -> None:
        if self.weight < 0 or not 0 <= self.threshold <= 1 or self.warmup < 0:
            raise UsageError(f"weight and warm-up are 0 or more and the threshold in [0, 1]; got {self}")

    def weight_at(self, epoch: float) -> float:
        """The weight after so many epochs."""
        return self.weight * min(1.0, epoch / self.warmup) if self.warmup else self.weight


@dataclass(frozen=True, slots=True, eq=False)
class Halves:
    """Pictures of the halves of the frontal faces of a batch.

    Attributes:
        left: ``(S, C, H, W)``.
        right: ``(S, C, H, W)``.
        frontality: float ``(S,)`` of these faces.
    """

    left: Tensor
    right: Tensor
    frontality: Tensor


def split_frontal(images: Tensor, landmarks: Tensor, settings: Symmetry) -> Halves:
    """The halves of the faces of a batch that are frontal enough.

    Args:
        images: Aligned crops ``(B, C, H, W)``, augmented.
        landmarks: float ``(B, 5, 2)`` in pixels of the crops, moved with the augmentation.
        settings: Threshold and mode.
    """
    inside = torch.isfinite(landmarks).flatten(1).all(1)
    nose = landmarks[:, 2, 0]
    inside &= (nose >= 0) & (nose <= images.shape[3] - 1)
    rho = torch.zeros(len(images), device=images.device)
    rho[inside] = frontality(landmarks[inside]).to(rho.dtype)
    chosen = (rho >= settings.threshold) & inside
    if not bool(chosen.any()):
        empty = images[:0]
        return Halves(empty, empty, rho[:0])
    left, right = split_faces(images[chosen], landmarks=landmarks[chosen], mode=settings.mode)
    return Halves(left, right, rho[chosen])
