"""Small grey faces: some people to train on, pairs of pictures of other people to test on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.metrics.intervals import Statistic, paired_difference
from visavis.metrics.verification import tar_at_far
from visavis.metrics.weighted import auc_statistic
from visavis.protocols.ledger import RolesTouched
from visavis.warps import resize

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class SmallFaces:
    """What a miniature trains on and reports on.

    Attributes:
        train: float32 ``(N, 1, H, W)`` in 0..1.
        labels: int64 ``(N,)``, the people from 0.
        test: float32 ``(M, 1, H, W)`` in 0..1.
        people: Person of each test picture, int64 ``(M,)``; nobody of them is trained on.
        left: Row in ``test`` of the first picture of each pair, int64 ``(P,)``.
        right: Row of the second.
        roles: The people touched, by role in the ledger.
        landmarks: float32 ``(N, 5, 2)`` of the training pictures, in pixels of any scale; None where unknown.
        failed: bool ``(M,)``, the test pictures without a face; None for none.
    """

    train: NDArray[np.float32]
    labels: NDArray[np.int64]
    test: NDArray[np.float32]
    people: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    roles: tuple[RolesTouched, ...]
    landmarks: NDArray[np.float32] | None = None
    failed: NDArray[np.bool_] | None = None

    @property
    def same(self) -> NDArray[np.bool_]:
        """Whether a pair shows one person ``(P,)``."""
        return np.asarray(self.people[self.left] == self.people[self.right])

    @property
    def classes(self) -> int:
        """Number of people to train on."""
        return int(self.labels.max()) + 1

    def similarities(
        self, vectors: NDArray[np.float32], others: NDArray[np.float32] | None = None
    ) -> NDArray[np.float64]:
        """Cosine of each test pair ``(P,)``; NaN, a rejection, where a picture failed.

        Args:
            vectors: Unit embeddings of the test pictures ``(M, D)``.
            others: Embeddings for the second side of the pairs; those of the first when None.
        """
        second = vectors if others is None else others
        cosine = np.asarray(
            np.einsum("pd,pd->p", vectors[self.left].astype(np.float64), second[self.right]), np.float64
        )
        if self.failed is not None:
            cosine[self.failed[self.left] | self.failed[self.right]] = np.nan
        return cosine

    def auc(self, similarities: NDArray[np.float64]) -> float:
        """Area under the ROC curve of the test pairs."""
        return auc_statistic(similarities, self.same)(np.ones(len(self.left)))

    def tar(self, similarities: NDArray[np.float64], far: float) -> float:
        """True accept rate at a false accept rate, with an oracle threshold."""
        return tar_at_far(similarities[self.same], similarities[~self.same], far=far)

    def auc_difference(
        self, ones: Sequence[NDArray[np.float64]], others: Sequence[NDArray[np.float64]], *, resamples: int = 400
    ) -> tuple[float, float]:
        """95 % interval over test people of the mean AUC of some runs less the mean AUC of others.

        Args:
            ones: Similarities of the pairs, one array a run.
            others: The same of the runs to compare with.
            resamples: Number of resamples of people.
        """
        interval = paired_difference(
            self.people[self.left],
            self.people[self.right],
            _mean([auc_statistic(run, self.same) for run in ones]),
            _mean([auc_statistic(run, self.same) for run in others]),
            resamples=resamples,
            rng=np.random.default_rng(0),
        )
        return interval.low, interval.high


def _mean(statistics: Sequence[Statistic]) -> Statistic:
    return lambda weights: float(np.mean([statistic(weights) for statistic in statistics]))


def grey(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float32]:
    """RGB pixels ``(H, W, 3)`` as one grey channel in 0..1, float32 ``(1, height, width)``."""
    return (resize(pixels, width, height).astype(np.float32) @ _LUMA)[None] / np.float32(255)
