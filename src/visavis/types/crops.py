"""Crops: aligned faces, ready for a recogniser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.types._arrays import column, rows
from visavis.types.status import Status


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """Aligned face crops, a row per face.

    Attributes:
        pixels: uint8 RGB ``(N, H, W, 3)``; zeros in failed rows.
        matrices: float32 ``(N, 2, 3)``: maps picture pixels to crop pixels. NaN in failed rows.
        template: Name of the landmark template the crops follow, for example ``arcface-112``.
        status: Per row, None or the reason it failed.
        detector: Tag of the detector and rule that placed the landmarks; ``given`` when they came from elsewhere.
    """

    pixels: NDArray[np.uint8]
    matrices: NDArray[np.float32]
    template: str
    status: Status
    detector: str = "given"

    def __post_init__(self) -> None:
        pixels = np.asarray(self.pixels)
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3:
            raise UsageError(f"Crops.pixels must be uint8 RGB (N, H, W, 3); got {pixels.dtype} {pixels.shape}")
        pixels = pixels.view()
        pixels.setflags(write=False)
        object.__setattr__(self, "pixels", pixels)
        object.__setattr__(self, "matrices", column(self.matrices, "Crops.matrices", (len(pixels), 2, 3)))
        if len(self.status) != len(pixels):
            raise UsageError(f"Crops.status must have {len(pixels)} rows; got {len(self.status)}")

    @classmethod
    def concat(cls, parts: Sequence[Crops]) -> Crops:
        """The parts one after the other; all of one template and detector.

        Raises:
            UsageError: No parts, or two templates or detectors.
        """
        kinds = {(part.template, part.detector) for part in parts}
        if len(kinds) != 1:
            raise UsageError(f"crops of one template and detector can be joined; got {sorted(kinds) or 'no parts'}")
        template, detector = kinds.pop()
        return cls(
            np.concatenate([part.pixels for part in parts]),
            np.concatenate([part.matrices for part in parts]),
            template,
            Status.concat([part.status for part in parts]),
            detector,
        )

    @property
    def ok(self) -> NDArray[np.bool_]:
        """bool ``(N,)``: True where there is a crop."""
        return self.status.ok

    def __len__(self) -> int:
        return len(self.pixels)

    def __iter__(self) -> Iterator[Crops]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, index: Any) -> Crops:
        keep = rows(index, len(self))
        return Crops(self.pixels[keep], self.matrices[keep], self.template, self.status[keep], self.detector)
