"""Cut what a detector looks at out of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.warps import resize


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


def whole(pixels: NDArray[np.uint8], *, longest: int, multiple: int, enlarge: bool = False) -> Look:
    """The whole picture, shrunk to fit, at the top left of a black canvas.

    Args:
        pixels: uint8 RGB ``(H, W, 3)``.
        longest: Longest side in pixels; a smaller picture is enlarged only when asked for.
        multiple: Sides of the canvas are multiples of this.
        enlarge: Enlarge a smaller picture too.
    """
    height, width = pixels.shape[:2]
    scale = longest / max(height, width)
    scale = scale if enlarge else min(1.0, scale)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    small = resize(pixels, new_width, new_height)
    if new_width % multiple or new_height % multiple:
        canvas = np.zeros((_multiple(new_height, multiple), _multiple(new_width, multiple), 3), np.uint8)
        canvas[:new_height, :new_width] = small
        small = canvas
    return Look(small, *_back(width / new_width, height / new_height))


def _back(x: float, y: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Scale and offset of a look whose pixels cover ``x`` by ``y`` picture pixels, pixel centres on centres."""
    return (x, y), (0.5 / x - 0.5, 0.5 / y - 0.5)


def around(pixels: NDArray[np.uint8], box: NDArray[np.floating], *, face: int, canvas: int) -> Look | None:
    """A face at a canonical size in the middle of a square; None when there is nothing to see.

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
    side = max(1, round(canvas * area**0.5 / face))
    left, top = round((x0 + x1 - side) / 2), round((y0 + y1 - side) / 2)
    height, width = pixels.shape[:2]
    inner = pixels[max(0, top) : max(0, min(height, top + side)), max(0, left) : max(0, min(width, left + side))]
    if not inner.size:
        return None
    if inner.shape[:2] != (side, side):
        square = np.zeros((side, side, 3), np.uint8)
        row, column = max(0, -top), max(0, -left)
        square[row : row + inner.shape[0], column : column + inner.shape[1]] = inner
        inner = square
    scale, offset = _back(side / canvas, side / canvas)
    shift = (offset[0] - left / scale[0], offset[1] - top / scale[1])
    return Look(resize(inner, canvas, canvas), scale, shift)
