"""How good embeddings are while a run goes on: verification over all pairs of some people set aside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.data.batch import Batch
from visavis.data.pack import Pack
from visavis.errors import UsageError
from visavis.metrics.curves import auc
from visavis.metrics.verification import fnmr_at_fmr

RATES = (1e-2, 1e-3)


def all_pairs(vectors: NDArray[np.floating], labels: NDArray[np.integer]) -> tuple[NDArray, NDArray]:  # type: ignore[type-arg]
    """Cosines of the mated and of the non-mated pairs among rows.

    Args:
        vectors: float ``(N, D)``, of any norm.
        labels: int ``(N,)``.

    Returns:
        float32 ``(M,)`` and ``(K,)``; NaN where a row has no direction.
    """
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = (vectors / np.where(norms > 0, norms, np.nan)).astype(np.float32)
    first, second = np.triu_indices(len(unit), 1)
    cosines = (unit @ unit.T)[first, second]
    same = labels[first] == labels[second]
    return cosines[same], cosines[~same]


def verification_measures(vectors: NDArray[np.floating], labels: NDArray[np.integer]) -> dict[str, float]:
    """AUC, and FNMR where the FMR of these very pairs is 1e-2 and 1e-3 (oracle thresholds), over all pairs of rows.

    Args:
        vectors: float ``(N, D)``, of any norm.
        labels: int ``(N,)``.

    Raises:
        UsageError: No mated or no non-mated pair.
    """
    mated, nonmated = all_pairs(vectors, labels)
    if not len(mated) or not len(nonmated):
        raise UsageError("validation needs two pictures of one person and a second person at least")
    rates = {f"fnmr_at_fmr_{rate:g}": fnmr_at_fmr(mated, nonmated, fmr=rate) for rate in RATES}
    means = {"mated_mean": float(np.nanmean(mated)), "nonmated_mean": float(np.nanmean(nonmated))}
    return {"auc": float(auc(mated, nonmated)), **rates, **means}


@dataclass(frozen=True, slots=True)
class PackRows:
    """Rows of a pack as validation batches, plain, the same each time.

    Attributes:
        pack: Of people set aside.
        most: Rows at most: of a larger pack whole people are taken, drawn once, each with at most half of the rows.
        batch: Rows of a batch.
    """

    pack: Pack
    most: int = 3000
    batch: int = 128

    def __post_init__(self) -> None:
        if not self.pack.meta.labelled:
            raise UsageError(f"{self.pack.path} does not say whom its crops show, so nothing can be validated on it")

    def __iter__(self) -> Iterator[Batch]:
        """Batches of the chosen rows once."""
        rows = self.rows()
        for start in range(0, len(rows), self.batch):
            part = np.sort(rows[start : start + self.batch])
            yield Batch(
                np.array(self.pack.pixels[part]), self.pack.labels[part], part, np.array(self.pack.landmarks[part])
            )

    def rows(self) -> NDArray[np.int64]:
        """The chosen rows, sorted by person."""
        labels = np.asarray(self.pack.labels)
        if len(labels) <= self.most:
            return np.argsort(labels, kind="stable").astype(np.int64)
        chosen: list[NDArray[np.int64]] = []
        room = self.most
        for person in np.random.default_rng(0).permutation(int(labels.max()) + 1):
            mine = np.flatnonzero(labels == person)[: max(1, self.most // 2)]
            if len(mine) <= room:
                chosen.append(mine)
                room -= len(mine)
        return np.concatenate(chosen).astype(np.int64)
