"""Every measured component of ISO/IEC 29794-5:2025 of each face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from visavis.quality.standard.components import COMPONENTS
from visavis.quality.standard.face import StandardFace
from visavis.types import FaceContext, Quality


def assess_standard(context: FaceContext) -> tuple[Quality, ...]:
    """One column a component, in the order of `COMPONENTS`; failed faces stay failed rows.

    A face is aligned to the 616 x 616 pixels of the reference implementation, so that this takes longer than the
    measures of `Assessor`; they are one face at a time in memory.
    """
    seen = {name: one.pixels for name, one in COMPONENTS.items() if one.pixels is not None}
    raw = {name: np.full(len(context), np.nan) for name in seen}
    for row in np.flatnonzero(context.status.ok).tolist():
        face = StandardFace.of(context, row)
        for name, measure in seen.items():
            raw[name][row] = measure(face)
    raw |= {name: one.raw(context) for name, one in COMPONENTS.items() if one.raw is not None}
    return tuple(one.column(context, raw[name]) for name, one in COMPONENTS.items())


def standard_dict(columns: Sequence[Quality], row: int) -> dict[str, dict[str, Any]]:
    """JSON-ready: by component, clause, raw value, unit, score and what is wrong; None for what was not measured."""
    return {
        one.measure: {
            "clause": COMPONENTS[one.measure].clause,
            "raw": _number(one.raw[row]),
            "unit": one.unit,
            "score": _number(one.score[row]),
            "reason": one.reasons[row] or None,
        }
        for one in columns
    }


def _number(value: np.float32) -> float | None:
    return None if np.isnan(value) else float(value)
