"""Candidates: what a detection network says before suppression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.geometry import overlaps


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Overlapping face candidates of one network input.

    Attributes:
        boxes: float32 ``(N, 4)`` xyxy.
        score: float32 ``(N,)`` in 0..1.
        points: float32 ``(N, 5, 2)``.
    """

    boxes: NDArray[np.float32]
    score: NDArray[np.float32]
    points: NDArray[np.float32]

    @classmethod
    def concat(cls, parts: list[Candidates]) -> Candidates:
        """The parts one after the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.score for part in parts]),
            np.concatenate([part.points for part in parts]),
        )

    def moved(self, scale: tuple[float, float], offset: tuple[float, float]) -> Candidates:
        """Candidates in other coordinates: ``(x - offset) * scale``."""
        if scale == (1.0, 1.0) and offset == (0.0, 0.0):
            return self
        factor = np.array(scale, dtype=np.float64)
        shift = np.array(offset, dtype=np.float64)
        boxes = (self.boxes.reshape(-1, 2, 2) - shift) * factor
        points = (self.points - shift) * factor
        return Candidates(boxes.reshape(-1, 4).astype(np.float32), self.score, points.astype(np.float32))

    def __getitem__(self, rows: NDArray[np.intp]) -> Candidates:
        return Candidates(self.boxes[rows], self.score[rows], self.points[rows])

    def __len__(self) -> int:
        return len(self.score)


def vote(candidates: Candidates, *, confidence: float, overlap: float, agreement: float) -> Candidates:
    """Greedy suppression in which the suppressed help to place the face.

    As non-maximum suppression, but box and points of a kept face are the score-weighted mean over all
    candidates that overlap it by at least ``agreement``. A detector answers some ten times per face; the
    mean of ten noisy landmarks is steadier than the surest one (box voting: Gidaris and Komodakis 2015,
    section 4.3, here for landmarks too).

    Args:
        candidates: All candidates, also those below ``confidence``; they vote but found no face.
        confidence: Least score of a face.
        overlap: Candidates that overlap a surer face by more than this IoU are suppressed.
        agreement: Least IoU of a candidate that votes.

    Returns:
        One row a face, surest first, its score that of its surest candidate.
    """
    order = np.argsort(-candidates.score, kind="stable")
    boxes, score = candidates.boxes, candidates.score
    values = np.concatenate([boxes, candidates.points.reshape(-1, 10)], axis=1)
    placed, kept = [], []
    while order.size and score[order[0]] >= confidence:
        best = order[0]
        shared = overlaps(boxes[best], boxes[order])
        shared[0] = 1.0
        voters = order[shared >= agreement]
        weight = score[voters].astype(np.float64)
        placed.append((weight / weight.sum()) @ values[voters])
        kept.append(best)
        order = order[shared <= overlap]
    if not kept:
        return NOTHING
    found = np.array(placed, dtype=np.float32)
    return Candidates(found[:, :4], score[kept], found[:, 4:].reshape(-1, 5, 2))


NOTHING = Candidates(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty((0, 5, 2), np.float32))
"""No candidate at all."""
