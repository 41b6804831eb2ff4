"""Impostor pairs of people: all counted, the highest kept with the two persons they belong to."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError

BINS = 2000
"""Bins of the histogram of all similarities, from -1 to 1."""

_KEEP = 0.12
_TILE = 2048
_SAMPLE = 400_000


@dataclass(frozen=True, slots=True, eq=False)
class Impostors:
    """Similarities of pairs of two persons.

    Attributes:
        scores: float32 ``(K,)``, falling: the highest of all.
        left: int64 ``(K,)``: number of the first person.
        right: int64 ``(K,)``: number of the second person.
        total: How many pairs were compared; those that are not kept are lower.
        pairs_of: int64 ``(P,)``: in how many pairs each person takes part.
        histogram: int64 ``(BINS,)``: all similarities, over -1..1.
    """

    scores: NDArray[np.float32]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    total: int
    pairs_of: NDArray[np.int64]
    histogram: NDArray[np.int64]

    @property
    def people(self) -> int:
        """Number of persons with a pair."""
        return int((self.pairs_of > 0).sum())

    @classmethod
    def of_pairs(cls, scores: ArrayLike, left: ArrayLike, right: ArrayLike) -> Impostors:
        """From scored pairs.

        Args:
            scores: Similarities ``(N,)``, finite.
            left: First person of each pair, integers or text ``(N,)``.
            right: Second person of each pair, another one.

        Raises:
            UsageError: Lengths differ, a pair of one person, or a similarity that is not finite.
        """
        values = np.asarray(scores, np.float32).ravel()
        if not np.shape(left) == np.shape(right) == values.shape:
            raise UsageError(f"{len(values)} similarities of {np.shape(left)} and {np.shape(right)} persons")
        names, numbers = np.unique(np.concatenate([np.asarray(left), np.asarray(right)]), return_inverse=True)
        one, two = numbers[: len(values)], numbers[len(values) :]
        if (one == two).any():
            raise UsageError("an impostor pair is of two persons; leave pairs of one person out")
        if not np.isfinite(values).all():
            raise UsageError("leave failed pairs (NaN) out of the impostors of a calibration, and count them apart")
        order = np.argsort(-values, kind="stable")
        pairs_of = np.bincount(np.concatenate([one, two]), minlength=len(names))
        return cls(values[order], one[order], two[order], len(values), pairs_of, _histogram(values))

    @classmethod
    def of_templates(cls, vectors: NDArray[np.float32], people: Sequence[Hashable]) -> Impostors:
        """All pairs of two persons among templates, in bounded memory.

        Args:
            vectors: float32 ``(N, D)``, unit norm, finite.
            people: The person of each row.

        Raises:
            UsageError: Lengths differ, rows that are not finite, or fewer than two persons.
        """
        if len(vectors) != len(people) or not np.isfinite(vectors).all():
            raise UsageError("templates of a calibration are finite rows with a person each; leave failed rows out")
        names, owner = np.unique(np.asarray(people, dtype=str), return_inverse=True)
        if len(names) < 2:
            raise UsageError("impostor pairs need at least two persons")
        order = np.argsort(owner, kind="stable")
        rows, owner = np.ascontiguousarray(vectors[order], np.float32), owner[order].astype(np.int64)
        sizes = np.bincount(owner)
        pairs_of = sizes * (len(rows) - sizes)
        least = _least_kept(rows, owner)
        histogram = np.zeros(BINS, np.int64)
        kept: list[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]] = []
        for top in range(0, len(rows), _TILE):
            for side in range(top, len(rows), _TILE):
                tile = rows[top : top + _TILE] @ rows[side : side + _TILE].T
                one, two = owner[top : top + _TILE], owner[side : side + _TILE]
                # Rows are sorted by person, so of two persons one pair lies above the diagonal.
                other = one[:, None] < two[None]
                histogram += _histogram(tile[other])
                at = np.nonzero(other & (tile >= least))
                kept.append((tile[at], one[at[0]], two[at[1]]))
        scores, left, right = (np.concatenate(part) for part in zip(*kept, strict=True))
        falling = np.argsort(-scores, kind="stable")
        return cls(scores[falling], left[falling], right[falling], int(pairs_of.sum()) // 2, pairs_of, histogram)

    def events(self, threshold: float) -> int:
        """How many kept pairs lie at or above a threshold."""
        return int(np.searchsorted(-self.scores, -np.float32(threshold), side="right"))

    def person_pairs(self, events: int) -> int:
        """How many distinct pairs of persons the highest ``events`` pairs belong to."""
        low = np.minimum(self.left[:events], self.right[:events])
        high = np.maximum(self.left[:events], self.right[:events])
        return len(np.unique(low * len(self.pairs_of) + high))


def _least_kept(rows: NDArray[np.float32], owner: NDArray[np.int64]) -> float:
    """A similarity that about `_KEEP` of the impostor pairs reach, from a sample of them; of few pairs all are kept."""
    if len(rows) ** 2 < _SAMPLE:
        return -2.0
    rng = np.random.default_rng(0)
    one, two = rng.integers(len(rows), size=(2, _SAMPLE))
    other = owner[one] != owner[two]
    scores = np.einsum("nd,nd->n", rows[one[other]], rows[two[other]])
    return float(np.quantile(scores, 1 - _KEEP))


def _histogram(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    place = np.clip(((scores + 1) * (BINS / 2)).astype(np.int64), 0, BINS - 1)
    return np.bincount(place.ravel(), minlength=BINS)
