"""Masks over a crop: 1 is hidden, 0 is visible."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError

Masks = NDArray[np.float32]

_SOFT = 0.1


def grid_masks(shape: tuple[int, int], *, size: int, most: int) -> Masks:
    """Squares on a regular grid that together cover a crop, as many as are allowed.

    Args:
        shape: Height and width of the crop.
        size: Side of a square in pixels; its edge is softened by a Gaussian of a tenth of it.
        most: The largest number of squares.

    Returns:
        float32 ``(K, H, W)`` in 0..1, K <= most.

    Raises:
        UsageError: A square that is larger than the crop, or too few squares to cover it.
    """
    height, width = shape
    if not 1 <= size <= min(shape):
        raise UsageError(f"size is the side of a square in 1..{min(shape)} pixels; got {size}")
    least = math.ceil(height / size), math.ceil(width / size)
    if least[0] * least[1] > most:
        raise UsageError(
            f"{least[0] * least[1]} squares of {size} pixels cover a crop of {height} x {width}; the budget allows "
            f"{most}: raise it, or take larger squares"
        )
    rows, columns = least
    while (rows + 1) * (columns + 1) <= most and rows <= height - size:
        rows, columns = rows + 1, columns + 1
    masks = np.zeros((rows * columns, height, width), np.float32)
    tops, lefts = (np.rint(np.linspace(0, side - size, count)) for side, count in ((height, rows), (width, columns)))
    for number, (top, left) in enumerate((int(top), int(left)) for top in tops for left in lefts):
        masks[number, top : top + size, left : left + size] = 1
        masks[number] = cv2.GaussianBlur(masks[number], (0, 0), max(_SOFT * size, 0.1))
    return masks


def random_masks(shape: tuple[int, int], *, count: int, cells: int, hidden: float, rng: np.random.Generator) -> Masks:
    """Smooth random masks: a coarse random grid, enlarged bilinearly and shifted at random.

    Petsiuk, Das and Saenko 2018 (RISE), section 3.2; there 1 is visible. Where half is hidden, every
    second mask is the complement of the one before, so that each pixel is hidden in half of them.

    Args:
        shape: Height and width of the crop.
        count: Number of masks.
        cells: Cells of the coarse grid along the shorter side.
        hidden: Probability that a cell is hidden, in 0..1 without the ends.
        rng: Source of randomness; the same state gives the same masks.

    Returns:
        float32 ``(count, H, W)`` in 0..1.

    Raises:
        UsageError: No mask, no cell, or a share outside 0..1.
    """
    if count < 1 or cells < 1 or not 0 < hidden < 1:
        raise UsageError(
            f"count and cells must be at least 1 and hidden lie between 0 and 1; got {count}, {cells}, {hidden}"
        )
    height, width = shape
    side = math.ceil(min(shape) / cells)
    rows, columns = math.ceil(height / side) + 1, math.ceil(width / side) + 1
    antithetic = hidden == 0.5
    masks = np.empty((count, height, width), np.float32)
    for number in range(count):
        if antithetic and number % 2:
            masks[number] = 1 - masks[number - 1]
            continue
        coarse = (rng.random((rows, columns)) < hidden).astype(np.float32)
        fine = cv2.resize(coarse, (columns * side, rows * side), interpolation=cv2.INTER_LINEAR)
        top, left = (int(start) for start in rng.integers(side, size=2))
        masks[number] = fine[top : top + height, left : left + width]
    return masks
