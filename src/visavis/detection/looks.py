"""Cut what a detector looks at out of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.geometry import CropTemplate


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A network input with the way back to the picture: ``x_picture = (x_look - offset) * scale``.

    Attributes:
        pixels: uint8 RGB ``(H, W, 3)``.
        scale: x and y.
        offset: x and y in pixels of the look.
    """

    pixels: NDArray[np.uint8]
    scale: tuple[float, float]
    offset: tuple[float, float]


def _multiple(side: int, of: int) -> int:
    return max(of, -(-side // of) * of)


def resize(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Resize with the area filter when shrinking and the linear one when enlarging."""
    if (pixels.shape[1], pixels.shape[0]) == (width, height):
        return pixels
    shrinks = width < pixels.shape[1] or height < pixels.shape[0]
    resized: NDArray[np.uint8] = cv2.resize(
        pixels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    return resized


def whole(pixels: NDArray[np.uint8], *, longest: int, border: float, multiple: int) -> Look:
    """The whole picture, bordered and shrunk to fit, on a black canvas.

    Args:
        pixels: uint8 RGB ``(H, W, 3)``.
        longest: Longest side in pixels, border included.
        border: Border width as a share of the longer side.
        multiple: Sides of the canvas are multiples of this.
    """
    height, width = pixels.shape[:2]
    edge = max(height, width)
    scale = min(1.0, longest / (edge * (1 + 2 * border)))
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    margin = round(edge * border * scale)
    canvas = np.zeros(
        (_multiple(new_height + 2 * margin, multiple), _multiple(new_width + 2 * margin, multiple), 3), np.uint8
    )
    canvas[margin : margin + new_height, margin : margin + new_width] = resize(pixels, new_width, new_height)
    return Look(canvas, (width / new_width, height / new_height), (float(margin), float(margin)))


def around(pixels: NDArray[np.uint8], box: NDArray[np.floating], *, face: int, canvas: int) -> Look | None:
    """A face at a canonical size in the middle of a black square; None when its box has no area.

    Args:
        pixels: uint8 RGB ``(H, W, 3)``.
        box: ``(4,)`` xyxy in picture pixels; may reach outside the picture.
        face: Wanted square root of the box area in pixels.
        canvas: Side of the square in pixels.
    """
    x0, y0, x1, y1 = (float(value) for value in box)
    area = (x1 - x0) * (y1 - y0)
    if not area > 1:
        return None
    scale = face / area**0.5
    shift = (canvas / 2 - scale * (x0 + x1) / 2, canvas / 2 - scale * (y0 + y1) / 2)
    matrix = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
    return Look(warp(pixels, matrix, canvas, canvas), (1 / scale, 1 / scale), shift)


def warp(pixels: NDArray[np.uint8], matrix: NDArray[np.floating], width: int, height: int) -> NDArray[np.uint8]:
    """Linear warp by a ``(2, 3)`` matrix; what is shrunk more than twofold is first averaged, not skipped.

    A warp that reads four neighbours of each pixel skips the rest when it shrinks, which makes large
    faces grainy; the region is therefore reduced with the area filter first.
    """
    affine = np.asarray(matrix, dtype=np.float64)
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    if scale < 0.5:
        pixels, affine = _reduced(pixels, affine, scale, width, height)
    warped: NDArray[np.uint8] = cv2.warpAffine(pixels, affine, (width, height), flags=cv2.INTER_LINEAR)
    return warped


def _reduced(
    pixels: NDArray[np.uint8], affine: NDArray[np.float64], scale: float, width: int, height: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The region that a warp reads, reduced by a whole factor, and the warp that reads it."""
    factor = int(1 / scale)
    back = np.linalg.inv(affine[:, :2])
    corners = (np.array([[0, 0], [width, 0], [0, height], [width, height]]) - affine[:, 2]) @ back.T
    rows, columns = pixels.shape[:2]
    low = np.clip(np.floor(corners.min(axis=0)) - factor, 0, [columns, rows]).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)) + factor, 0, [columns, rows]).astype(int)
    size = (high - low) // factor
    if (size < 1).any():
        return pixels, affine
    region = pixels[low[1] : low[1] + size[1] * factor, low[0] : low[0] + size[0] * factor]
    small: NDArray[np.uint8] = cv2.resize(region, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA)
    # Pixel centres: x_small = (x - low + .5) / factor - .5
    moved = affine.copy()
    moved[:, :2] = affine[:, :2] * factor
    moved[:, 2] = affine[:, 2] + affine[:, :2] @ (low + (factor - 1) / 2)
    return small, moved


def crop(pixels: NDArray[np.uint8], matrix: NDArray[np.floating], template: CropTemplate) -> NDArray[np.uint8]:
    """The aligned crop of a template: `warp` to its size."""
    return warp(pixels, matrix, template.width, template.height)
