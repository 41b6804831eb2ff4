"""Where on the face a picture is poor: sharpness and exposure cell by cell."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.quality.exposure import ExposureScorer, exposed
from visavis.quality.sharpness import SharpnessScorer, detail_of, smoothed

CELLS = 14
"""Cells a side: 8 x 8 pixels of a crop of 112, the patches of common vision transformers."""
_BAD = np.array([178, 24, 43], np.float64)
_STRONGEST = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class SpatialQuality:
    """Scores of the cells of aligned crops, row by row; 0..100, higher is better.

    Attributes:
        sharpness: float32 ``(N, 14, 14)``: `visavis.quality.sharpness.detail_share` of a window twice as wide as the
            cell.
        exposure: float32 ``(N, 14, 14)``: share of such a window that is neither nearly black nor burnt out.
    """

    sharpness: NDArray[np.float32]
    exposure: NDArray[np.float32]

    @property
    def worst(self) -> NDArray[np.float32]:
        """float32 ``(N, 14, 14)``: the lower of both scores."""
        return np.minimum(self.sharpness, self.exposure)


def spatial_quality(luma: NDArray[np.float32]) -> SpatialQuality:
    """Sharpness and exposure of each cell, on the scales of the measures of the whole face.

    Args:
        luma: float32 ``(N, H, W)`` in 0..255, aligned crops of one size, at least 14 pixels a side.

    Raises:
        UsageError: Smaller crops.
    """
    if luma.ndim != 3 or min(luma.shape[1:]) < CELLS:
        raise UsageError(f"a map of quality needs crops (N, H, W) of at least {CELLS} pixels a side; got {luma.shape}")
    steps = [(_windowed(_steps(crop)), _windowed(_steps(smoothed(crop)))) for crop in luma]
    before, after = (np.array([pair[side] for pair in steps]).reshape(-1, CELLS, CELLS) for side in (0, 1))
    share = np.array([_windowed(exposed(crop).astype(np.float32)) for crop in luma]).reshape(-1, CELLS, CELLS)
    return SpatialQuality(SharpnessScorer.scale.score(detail_of(before, after)), ExposureScorer.scale.score(share))


def enlarged(cells: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Cells ``(N, 14, 14)`` as maps ``(N, height, width)``, bilinear between the centres of cells."""
    maps = [cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) for one in cells]
    return np.asarray(maps, np.float32).reshape(len(cells), height, width)


def draw_quality(crop: NDArray[np.uint8], cells: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A crop in grey, the redder the poorer the cell.

    Args:
        crop: uint8 RGB ``(H, W, 3)``.
        cells: float32 ``(14, 14)`` of `SpatialQuality`.

    Returns:
        uint8 RGB ``(H, W, 3)``.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float64)[..., None]
    lack = 1 - enlarged(cells[None], *crop.shape[:2])[0].astype(np.float64)[..., None] / 100
    return np.asarray(np.rint(grey * (1 - _STRONGEST * lack) + _BAD * _STRONGEST * lack), np.uint8)


def _steps(crop: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean of the steps to the pixel below and to the right; the last row and column repeat those before them."""
    down = np.abs(np.diff(crop, axis=0, append=crop[-1:]))
    right = np.abs(np.diff(crop, axis=1, append=crop[:, -1:]))
    down[-1], right[:, -1] = down[-2], right[:, -2]
    return np.asarray((down + right) / 2, np.float32)


def _windowed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean of a window about the middle of each cell, twice as wide as the cell; mirrored at the border."""
    height, width = values.shape
    size = (round(2 * width / CELLS), round(2 * height / CELLS))
    mean = cv2.boxFilter(values, -1, size, borderType=cv2.BORDER_REFLECT)
    middle = (np.arange(CELLS) + 0.5) / CELLS
    rows, columns = (middle * height).astype(int), (middle * width).astype(int)
    return np.asarray(mean[np.ix_(rows, columns)], np.float32)
