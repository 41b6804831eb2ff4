"""Sub-centre ArcFace: several centres a class, and the noise that the minor ones collect."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from visavis.errors import UsageError
from visavis.losses.arcface import ArcFaceLoss
from visavis.losses.targets import PastPi


def dominant_centres(cosines: Tensor, labels: Tensor, *, classes: int) -> Tensor:
    """The centre of each class that is the nearest to most of its rows.

    Args:
        cosines: ``(N, K)``, of each row with the centres of its own class.
        labels: int64 ``(N,)`` in 0..classes - 1.
        classes: Number of classes.

    Returns:
        int64 ``(classes,)``; the lower number of equals; 0 for a class without rows.
    """
    counts = torch.zeros(classes, cosines.shape[1], dtype=torch.int64, device=cosines.device)
    counts.index_put_((labels, cosines.argmax(1)), torch.ones_like(labels), accumulate=True)
    return counts.argmax(1)


def clean_rows(cosines: Tensor, labels: Tensor, *, classes: int, angle: float = math.radians(75)) -> Tensor:
    """Which rows lie near the dominant centre of their class; the others are likely mislabelled.

    Args:
        cosines: ``(N, K)``, of each row with the centres of its own class; see `SubcentreLoss.own_cosines`.
        labels: int64 ``(N,)``.
        classes: Number of classes.
        angle: Radians; rows farther away are dropped. The paper has 75 degrees.

    Returns:
        bool ``(N,)``.
    """
    chosen = dominant_centres(cosines, labels, classes=classes)[labels]
    return cosines.gather(1, chosen[:, None])[:, 0] >= math.cos(angle)


class SubcentreLoss(ArcFaceLoss):
    """ArcFace with several centres a class: a face needs to be near one of them.

    After training, the noise of a class has gathered at its minor centres: `clean_rows` leaves it out, and a
    plain ArcFace is trained on the rest.

    Equation:
        ArcFace with ``cos t_j = max_k cos(x, w_jk)``, k in 1..K

    Paper:
        Deng et al. 2020, Sub-center ArcFace: boosting face recognition by large-scale noisy web faces, ECCV.

    Paper values:
        K 3, margin 0.5, scale 64; rows farther than 75 degrees from the dominant centre are dropped.

    Args:
        dimension: Length of an embedding.
        classes: Number of classes.
        centres: K.
        margin: Radians.
        scale: Factor of the cosines.
        past_pi: See `ArcFaceLoss`.
    """

    def __init__(
        self,
        dimension: int,
        classes: int,
        *,
        centres: int = 3,
        margin: float = 0.5,
        scale: float = 64.0,
        past_pi: PastPi = "rise",
    ) -> None:
        super().__init__(dimension, classes, margin=margin, scale=scale, past_pi=past_pi, vectors=centres)

    def own_cosines(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Cosine of each embedding with each centre of its own class: ``(B, K)``, without gradient.

        Raises:
            UsageError: A row without a label.
        """
        self.check_batch(embeddings, labels, None)
        if bool((labels < 0).any()):
            raise UsageError("every row needs a label here; leave those without out")
        with torch.no_grad():
            present, places = labels.unique(return_inverse=True)
            values = self.centre_cosines(embeddings, classes=present)
            return values[torch.arange(len(labels), device=labels.device), places]
