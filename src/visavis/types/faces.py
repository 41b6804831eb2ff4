"""Faces: what a detector returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.types._arrays import column, rows
from visavis.types.status import Failure, Status


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Detected faces of one or many pictures, a row each; closed: no further fields.

    Attributes:
        boxes: float32 ``(N, 4)``, ``x0, y0, x1, y1`` in pixels of the picture after EXIF orientation.
            NaN in failed rows.
        score: float32 ``(N,)`` in 0..1, higher is surer. NaN in failed rows.
        points: float32 ``(N, 5, 2)``: left eye, right eye, nose, left and right mouth corner, as seen
            in the image. NaN in failed rows.
        picture: int64 ``(N,)``: the index of the picture that the face lies in.
        status: Per row, None or the reason it failed.
    """

    boxes: NDArray[np.float32]
    score: NDArray[np.float32]
    points: NDArray[np.float32]
    picture: NDArray[np.int64]
    status: Status

    def __post_init__(self) -> None:
        boxes = column(self.boxes, "Faces.boxes", (None, 4))
        length = len(boxes)
        object.__setattr__(self, "boxes", boxes)
        object.__setattr__(self, "score", column(self.score, "Faces.score", (length,)))
        object.__setattr__(self, "points", column(self.points, "Faces.points", (length, 5, 2)))
        object.__setattr__(self, "picture", column(self.picture, "Faces.picture", (length,), np.int64))
        if len(self.status) != length:
            raise UsageError(f"Faces.status must have {length} rows; got {len(self.status)}")
        good = self.status.ok
        values = np.concatenate([boxes, self.score[:, None], self.points.reshape(length, 10)], axis=1)
        if not np.isfinite(values[good]).all():
            raise UsageError("a face that did not fail must have finite box, score and points")
        if (boxes[good, 2:] < boxes[good, :2]).any():
            raise UsageError("boxes are x0, y0, x1, y1 with x1 >= x0 and y1 >= y0")

    @classmethod
    def empty(cls) -> Faces:
        """No face at all."""
        nothing = np.empty(0, np.float32)
        return cls(nothing.reshape(0, 4), nothing, nothing.reshape(0, 5, 2), np.empty(0, np.int64), Status.good(0))

    @classmethod
    def failed(cls, failure: Failure, *, picture: int = 0) -> Faces:
        """One failed row that stands for a picture without a face."""
        nan = np.full(10, np.nan, np.float32)
        row = np.array([picture], np.int64)
        return cls(nan[None, :4], nan[:1], nan.reshape(1, 5, 2), row, Status((failure,)))

    @classmethod
    def concat(cls, parts: Sequence[Faces]) -> Faces:
        """The parts one after the other; picture indices are kept."""
        if not parts:
            return cls.empty()
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.score for part in parts]),
            np.concatenate([part.points for part in parts]),
            np.concatenate([part.picture for part in parts]),
            Status.concat([part.status for part in parts]),
        )

    @property
    def ok(self) -> NDArray[np.bool_]:
        """bool ``(N,)``: True where there is a face."""
        return self.status.ok

    @property
    def size(self) -> NDArray[np.float32]:
        """float32 ``(N,)``: the longer side of each box, in pixels."""
        sides: NDArray[np.float32] = (self.boxes[:, 2:] - self.boxes[:, :2]).max(axis=1, initial=-np.inf)
        return sides

    def __len__(self) -> int:
        return len(self.boxes)

    def __iter__(self) -> Iterator[Faces]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, index: Any) -> Faces:
        """Rows by integer, slice, list or mask: ``faces[faces.score > 0.8]``."""
        keep = rows(index, len(self))
        return Faces(self.boxes[keep], self.score[keep], self.points[keep], self.picture[keep], self.status[keep])
