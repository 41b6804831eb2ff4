"""From arrays and Pillow images to RGB pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visavis.errors import UnreadableError, UsageError
from visavis.io._decoder_errors import DECODER_ERRORS, translated
from visavis.io._unreadable import check_size, unreadable
from visavis.io.limits import Limits, default_limits
from visavis.io.modes import grey_to_rgb, on_white, rgb_pixels, to_eight_bits
from visavis.io.orient import upright
from visavis.types.pictures import Picture

_NAME = "<array>"
_ORIENTATION = 0x0112
_FLOAT_REMEDY = "scale it first, for 0..1: (array * 255).round().clip(0, 255).astype('uint8')"


def from_array(array: NDArray[Any], *, name: str = _NAME) -> Picture:
    """A picture from an RGB, RGBA or grey array.

    - array: uint8 or uint16, ``(H, W)``, ``(H, W, 1)``, ``(H, W, 3)`` or ``(H, W, 4)``; strided views are welcome.
      uint16 is scaled to 8 bit: round(value / 257). Alpha is composited on white.

    A C-contiguous uint8 RGB array is shared, not copied.

    Args:
        array: The pixels.
        name: For messages, and `Picture.source`.

    Raises:
        UnreadableError: ``unreadable.zero-size``, or ``unreadable.unsupported`` for another dtype or shape.
    """
    values = _checked(array, name)
    if values.dtype != np.uint8:
        values = to_eight_bits(values)
    if values.ndim == 2:
        return Picture(grey_to_rgb(values), name)
    if values.shape[2] == 1:
        return Picture(grey_to_rgb(values[:, :, 0]), name)
    if values.shape[2] == 4:
        values = np.array(on_white(Image.fromarray(np.ascontiguousarray(values), "RGBA")))
    return Picture(np.ascontiguousarray(values), name)


def from_bgr(array: NDArray[Any], *, name: str = _NAME) -> Picture:
    """A picture from an array in the channel order of OpenCV: BGR, BGRA or grey.

    Args:
        array: As for `from_array`, with blue and red swapped.
        name: For messages, and `Picture.source`.

    Raises:
        UnreadableError: As `from_array`.
    """
    values = _checked(array, name)
    if values.ndim == 3 and values.shape[2] >= 3:
        values = values[:, :, [2, 1, 0, 3][: values.shape[2]]]
    return from_array(values, name=name)


def from_pil(image: Image.Image, *, name: str = "<PIL image>", limits: Limits | None = None) -> Picture:
    """A picture from a Pillow image; its EXIF orientation, if it still has one, is applied.

    Args:
        image: Of any mode but the 32-bit ones; it is not changed.
        name: For messages, and `Picture.source`.
        limits: What the picture may cost; the defaults when omitted.

    Raises:
        UnreadableError: The pixels cannot be loaded, are too many, or have a mode without a defined brightness range.
        UsageError: Not a Pillow image.
    """
    if not isinstance(image, Image.Image):
        raise UsageError(f"from_pil takes a PIL.Image.Image; got {type(image).__name__}")
    check_size(name, *image.size, limits or default_limits())
    try:
        image.load()
        turn = image.getexif().get(_ORIENTATION, 1)
        return Picture(upright(rgb_pixels(image, name=name), turn if isinstance(turn, int) else 1), name)
    except DECODER_ERRORS as error:
        raise translated(name, image.format or "Pillow", error) from error


def _checked(array: NDArray[Any], name: str) -> NDArray[Any]:
    if not isinstance(array, np.ndarray):
        raise UsageError(f"a picture array must be a numpy array; got {type(array).__name__}")
    shape = array.shape
    if array.ndim not in (2, 3) or (array.ndim == 3 and shape[2] not in (1, 3, 4)):
        raise _wrong(name, array, _shape_remedy(shape))
    if 0 in shape:
        raise unreadable(name, "zero-size", f"the array has shape {shape}; at least one pixel is needed")
    if array.dtype.kind == "f":
        raise _wrong(name, array, _FLOAT_REMEDY)
    if array.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise _wrong(name, array, "convert it: array.astype('uint8') if its values are 0..255")
    return array


def _shape_remedy(shape: tuple[int, ...]) -> str:
    if len(shape) == 3 and shape[0] in (1, 3, 4) and min(shape[1:]) > 4:
        return "channels come last: array.transpose(1, 2, 0)"
    if len(shape) == 4:
        return "a batch goes to visavis.io.read_batch as a list: list(array)"
    return "give (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA"


def _wrong(name: str, array: NDArray[Any], remedy: str) -> UnreadableError:
    return unreadable(
        name, "unsupported", f"an array of {array.dtype} {array.shape}; accepted is uint8 or uint16 (H, W, 3); {remedy}"
    )
