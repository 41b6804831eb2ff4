"""From a decoded video frame to upright RGB pixels."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.io._unreadable import check_size
from visavis.io.limits import Limits
from visavis.io.orient import upright

# The upper left part of the display matrix, as signs, and the EXIF orientation that says the same.
_ORIENTATIONS: dict[tuple[int, ...], int] = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
_BT709, _UNSPECIFIED = 1, 2
_HIGH = 720
"""Frames of so many rows hold the colours of BT.709 unless they say something else."""


def upright_pixels(frame: Any, *, aspect: float, name: str, limits: Limits) -> NDArray[np.uint8]:
    """The pixels as they are meant to be seen: RGB, square, turned as the file says.

    Args:
        frame: A frame of PyAV, of any pixel format.
        aspect: Width of a pixel over its height.
        name: For messages.
        limits: `Limits.max_pixels` is the largest frame.

    Returns:
        uint8 ``(H, W, 3)``, C-contiguous. Frames whose pixels are not square are stretched along their width.

    Raises:
        UnreadableError: ``too-many-pixels`` or ``zero-size``.
    """
    width, height = frame.width, frame.height
    wide = round(width * aspect)
    check_size(name, wide, height, limits)
    colours = frame.colorspace
    if int(colours) == _UNSPECIFIED and height >= _HIGH:
        colours = _BT709
    pixels = frame.to_ndarray(format="rgb24", width=wide, height=height, src_colorspace=colours)
    return upright(np.ascontiguousarray(pixels, np.uint8), _orientation(frame))


def _orientation(frame: Any) -> int:
    """EXIF orientation of the display matrix; 1 where there is none, or one of another angle than a right one."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return 1
    a, b, _, c, d = struct.unpack("<5i", bytes(data)[:20])
    least = max(abs(one) for one in (a, b, c, d)) / 2
    signs = tuple(0 if abs(one) <= least else (1 if one > 0 else -1) for one in (a, b, c, d))
    return _ORIENTATIONS.get(signs, 1)
