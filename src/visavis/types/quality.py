"""Quality: how usable each face is for recognition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.types._arrays import column, rows
from visavis.types.status import Status


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """One scorer's view of each face.

    Attributes:
        measure: Name of the scorer, for example ``norm``.
        raw: float32 ``(N,)``: the value in the scorer's own unit; NaN in failed rows.
        score: float32 ``(N,)`` in 0..100, higher is better; NaN in failed rows.
        status: Per row, None or the reason it failed.
        unit: Unit of the raw value, for example ``pixels``; empty for a pure number.
        reasons: Per row, what is wrong in plain words, for example ``the face is 31 pixels wide``; empty where
            nothing is.
    """

    measure: str
    raw: NDArray[np.float32]
    score: NDArray[np.float32]
    status: Status
    unit: str = ""
    reasons: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "raw", column(self.raw, "Quality.raw", (None,)))
        object.__setattr__(self, "score", column(self.score, "Quality.score", (len(self.raw),)))
        object.__setattr__(self, "reasons", tuple(self.reasons) or ("",) * len(self.raw))
        for name in ("status", "reasons"):
            if len(getattr(self, name)) != len(self.raw):
                raise UsageError(f"Quality.{name} must have {len(self.raw)} rows; got {len(getattr(self, name))}")
        good = self.score[self.status.ok]
        if not ((good >= 0) & (good <= 100)).all():
            raise UsageError("Quality.score must lie in 0..100 in rows that did not fail")

    @classmethod
    def concat(cls, parts: Sequence[Quality]) -> Quality:
        """The parts one after the other; all of one measure.

        Raises:
            UsageError: No parts, or two measures.
        """
        kinds = {(part.measure, part.unit) for part in parts}
        if len(kinds) != 1:
            raise UsageError(f"qualities of one measure can be joined; got {sorted(kinds) or 'no parts'}")
        measure, unit = kinds.pop()
        return cls(
            measure,
            np.concatenate([part.raw for part in parts]),
            np.concatenate([part.score for part in parts]),
            Status.concat([part.status for part in parts]),
            unit,
            tuple(reason for part in parts for reason in part.reasons),
        )

    def __len__(self) -> int:
        return len(self.raw)

    def __getitem__(self, index: Any) -> Quality:
        keep = rows(index, len(self))
        reasons = tuple(self.reasons[row] for row in keep)
        return Quality(self.measure, self.raw[keep], self.score[keep], self.status[keep], self.unit, reasons)
