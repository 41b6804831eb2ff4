"""Quality: how usable each face is for recognition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.types._arrays import column
from visavis.types.status import Status


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """One scorer's view of each face.

    Attributes:
        measure: Name of the scorer, for example ``norm``.
        raw: float32 ``(N,)``: the value in the scorer's own unit; NaN in failed rows.
        score: float32 ``(N,)`` in 0..100, higher is better; NaN in failed rows.
        status: Per row, None or the reason it failed.
    """

    measure: str
    raw: NDArray[np.float32]
    score: NDArray[np.float32]
    status: Status

    def __post_init__(self) -> None:
        object.__setattr__(self, "raw", column(self.raw, "Quality.raw", (None,)))
        object.__setattr__(self, "score", column(self.score, "Quality.score", (len(self.raw),)))
        if len(self.status) != len(self.raw):
            raise UsageError(f"Quality.status must have {len(self.raw)} rows; got {len(self.status)}")
        good = self.score[self.status.ok]
        if not ((good >= 0) & (good <= 100)).all():
            raise UsageError("Quality.score must lie in 0..100 in rows that did not fail")

    def __len__(self) -> int:
        return len(self.raw)
