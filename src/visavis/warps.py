"""Resizing and warping of pixels without grain."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.geometry import CropTemplate


def resize(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Resize with the area filter when shrinking and the linear one when enlarging."""
    if (pixels.shape[1], pixels.shape[0]) == (width, height):
        return pixels
    shrinks = width < pixels.shape[1] or height < pixels.shape[0]
    filter_ = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=filter_), np.uint8)


def warp(pixels: NDArray[np.uint8], matrix: NDArray[np.floating], width: int, height: int) -> NDArray[np.uint8]:
    """Linear warp by a ``(2, 3)`` matrix; what is shrunk more than twofold is first averaged, not skipped.

    A warp that reads four neighbours of each pixel skips the rest when it shrinks, which makes large
    faces grainy; the region is therefore reduced with the area filter first.
    """
    affine = np.asarray(matrix, dtype=np.float64)
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    if scale < 0.5:
        pixels, affine = _reduced(pixels, affine, scale, width, height)
    return np.asarray(cv2.warpAffine(pixels, affine, (width, height), flags=cv2.INTER_LINEAR), np.uint8)


def _reduced(
    pixels: NDArray[np.uint8], affine: NDArray[np.float64], scale: float, width: int, height: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The region that a warp reads, reduced by a whole factor, and the warp that reads it."""
    factor = int(1 / scale + 1e-9)
    back = np.linalg.inv(affine[:, :2])
    corners = (np.array([[0, 0], [width, 0], [0, height], [width, height]]) - affine[:, 2]) @ back.T
    rows, columns = pixels.shape[:2]
    low = np.clip(np.floor(corners.min(axis=0)) - 2 * factor, 0, [columns, rows]).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)) + 2 * factor, 0, [columns, rows]).astype(int)
    if (high - low < 1).any():
        return pixels, affine
    # Whole cells only: a last cell that the picture cuts is filled with its own edge, not with black.
    size = -(-(high - low) // factor)
    right, bottom = np.minimum(low + size * factor, [columns, rows])
    region = pixels[low[1] : bottom, low[0] : right]
    missing = size * factor - (right - low[0], bottom - low[1])
    if missing.any():
        down, across = int(missing[1]), int(missing[0])
        region = np.asarray(cv2.copyMakeBorder(region, 0, down, 0, across, cv2.BORDER_REPLICATE), np.uint8)
    small = np.asarray(cv2.resize(region, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA), np.uint8)
    # Pixel centres: x_small = (x - low + .5) / factor - .5
    moved = affine.copy()
    moved[:, :2] = affine[:, :2] * factor
    moved[:, 2] = affine[:, 2] + affine[:, :2] @ (low + (factor - 1) / 2)
    return small, moved


def crop(pixels: NDArray[np.uint8], matrix: NDArray[np.floating], template: CropTemplate) -> NDArray[np.uint8]:
    """The aligned crop of a template: `warp` to its size."""
    return warp(pixels, matrix, template.width, template.height)
