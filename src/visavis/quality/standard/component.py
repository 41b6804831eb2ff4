"""Component: one quality component of ISO/IEC 29794-5:2025."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.quality.column import POOR
from visavis.quality.standard.face import StandardFace
from visavis.types import FaceContext, Quality

Raw = Callable[[FaceContext], NDArray[np.float64]]
Mapping = Callable[[ArrayLike], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Component:
    """A quality component: what is measured, how it is scored, and where this library deviates.

    Attributes:
        name: For example ``illumination_uniformity``.
        clause: Of ISO/IEC 29794-5:2025.
        unit: Of the raw value; empty for a pure number.
        score: From raw values to 0..100; the published mapping, unless ``deviation`` says otherwise.
        poor: What is wrong with a face whose score is below 25, in plain words.
        deviation: How the raw value differs from that of the standard's reference implementation; empty for nothing.
        raw: From a context to raw values ``(N,)``; None for a component of pixels.
        pixels: From one aligned face to its raw value; None for a component of places.
        rising: Whether higher raw values are better; None where both ends are bad.
    """

    name: str
    clause: str
    unit: str
    score: Mapping
    poor: str
    deviation: str = ""
    raw: Raw | None = None
    pixels: Callable[[StandardFace], float] | None = None
    rising: bool | None = True

    def column(self, context: FaceContext, raw: NDArray[np.float64]) -> Quality:
        """The column of raw values ``(N,)``; a value that is not a number scores 0, a failed row nothing."""
        ok = context.status.ok
        score = np.nan_to_num(self.score(raw), nan=0.0)
        reasons = tuple(
            self.poor if good and points < POOR else "" for good, points in zip(ok, score.tolist(), strict=True)
        )
        return Quality(
            self.name,
            np.where(ok, raw, np.nan).astype(np.float32),
            np.where(ok, score, np.nan).astype(np.float32),
            context.status,
            self.unit,
            reasons,
        )
