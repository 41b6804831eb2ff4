"""Comparisons of a few probes with a stream of distractors of any length, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.metrics import _arrays

_CELLS = 1 << 24
"""Similarities that are computed at once: 64 MiB of float32."""


class DistractorScores:
    """What probes meet among distractors: their highest similarities in nested subsets, and the highest of all pairs.

    Args:
        probes: float32 ``(P, D)``, unit norm; NaN for failed probes.
        sizes: Ascending sizes ``(S,)`` of the subsets.
        subset: int ``(N,)``: for each distractor, in the order of the stream, the place in ``sizes`` of the smallest
            subset that holds it; S for one that is in none.
        keep: How many of the highest similarities of all ``P * N`` pairs are kept.

    Attributes:
        maxima: float32 ``(P, S)``: highest similarity of each probe in each subset; ``-inf`` where it has none.
        failed: Number of distractors without a template.
        taken: Number of distractors that were added.
    """

    def __init__(
        self, probes: NDArray[np.float32], *, sizes: Sequence[int], subset: NDArray[np.integer], keep: int
    ) -> None:
        if list(sizes) != sorted(set(sizes)) or not len(sizes) or sizes[0] < 1:
            raise UsageError(f"sizes must ascend from at least 1; got {list(sizes)}")
        self._probes, self._subset, self._keep = probes, subset, max(1, keep)
        self._good = np.flatnonzero(~np.isnan(probes).any(axis=1))
        self._levels = np.full((len(probes), len(sizes)), -np.inf, np.float32)
        self._scores = np.empty(0, np.float32)
        self._rows = np.empty(0, np.int32)
        self._bound = np.float32(-np.inf)
        self.failed = 0
        self.taken = 0

    def add(self, vectors: NDArray[np.float32]) -> None:
        """The next distractors of the stream, float32 ``(B, D)``, unit norm; NaN for failed ones.

        Raises:
            UsageError: Of another dimension, or more than ``subset`` names.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self._probes.shape[1]:
            raise UsageError(f"distractors have shape {vectors.shape}, the probes {self._probes.shape[1]} dimensions")
        levels = self._subset[self.taken : self.taken + len(vectors)]
        if len(levels) < len(vectors):
            raise UsageError(f"{len(self._subset)} distractors were announced, and more were given")
        self.taken += len(vectors)
        usable = ~np.isnan(vectors).any(axis=1)
        self.failed += int((~usable).sum())
        if not usable.any() or not len(self._good):
            return
        step = max(1, _CELLS // len(self._good))
        vectors, levels = vectors[usable], levels[usable]
        probes = self._probes[self._good]
        for start in range(0, len(vectors), step):
            self._take(probes @ vectors[start : start + step].T, levels[start : start + step])

    def _take(self, scores: NDArray[np.float32], levels: NDArray[np.integer]) -> None:
        """The similarities of the good probes and some distractors, and the subsets of these."""
        for level in np.unique(levels[levels < self._levels.shape[1]]):
            best = scores[:, levels == level].max(axis=1)
            self._levels[self._good, level] = np.maximum(self._levels[self._good, level], best)
        above = scores > self._bound
        if np.count_nonzero(above) > self._keep:
            above &= scores >= np.partition(scores, -self._keep, axis=None)[-self._keep]
        row, column = np.nonzero(above)
        self._scores = np.concatenate([self._scores, scores[row, column]])
        self._rows = np.concatenate([self._rows, self._good[row].astype(np.int32)])
        if len(self._scores) > 2 * self._keep:
            self._compact()

    @property
    def maxima(self) -> NDArray[np.float32]:
        """See the attributes of the class."""
        found: NDArray[np.float32] = np.maximum.accumulate(self._levels, axis=1)
        return found

    @property
    def compared(self) -> int:
        """Number of pairs without a failed side."""
        return len(self._good) * (self.taken - self.failed)

    def highest(self) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """The kept similarities, the highest first, and the probe of each."""
        self._compact()
        order = np.argsort(-self._scores, kind="stable")
        return self._scores[order], self._rows[order]

    def threshold_at_far(self, far: float) -> float:
        """As `visavis.metrics.threshold_at_fmr` over all pairs of probes and distractors, failures included.

        Raises:
            UsageError: A target outside 0..1, or one that needs more similarities than were kept.
        """
        count = _arrays.allowed(_arrays.rate(far, "far"), len(self._probes) * self.taken)
        if count >= self.compared:
            return -math.inf
        scores, _ = self.highest()
        if count >= len(scores):
            raise UsageError(f"FAR {far:g} needs the {count + 1} highest similarities, and {self._keep} were kept")
        return _arrays.just_above(scores[count])

    def _compact(self) -> None:
        """Keep the highest only; of equal ones any."""
        surplus = len(self._scores) - self._keep
        if surplus <= 0:
            return
        kept = np.argpartition(self._scores, surplus)[surplus:]
        self._scores, self._rows = self._scores[kept], self._rows[kept]
        self._bound = self._scores.min()
