"""From any Pillow mode to RGB pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visavis.io._unreadable import unreadable

_DIRECT = frozenset({"RGB", "L", "1", "P", "RGBX", "CMYK", "YCbCr"})
_ALPHA = frozenset({"RGBA", "LA", "PA", "La", "RGBa"})
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}
_REMEDY = "save it as 8-bit grey, RGB or RGBA"


def rgb_pixels(image: Image.Image, *, name: str) -> NDArray[np.uint8]:
    """The pixels of a loaded Pillow image.

    Transparency (alpha channel, transparent palette entries or colour) is composited on white. 16-bit grey is scaled
    to 8 bit: round(value / 257). CMYK is converted by Pillow's plain formula; ICC profiles are ignored. 32-bit integer
    and floating-point pictures are refused: their range is not written in the file, and a guess would be silent.

    Args:
        image: Loaded; its pixels are not changed.
        name: For messages.

    Returns:
        uint8 RGB ``(H, W, 3)``, C-contiguous.

    Raises:
        UnreadableError: ``unreadable.unsupported``: a mode without a defined conversion.
    """
    mode = image.mode
    if mode.startswith("I;16") or (mode == "I" and image.format == "PNG"):
        return grey_to_rgb(to_eight_bits(np.asarray(image)))
    if mode in _ALPHA or (mode in _DIRECT and "transparency" in image.info):
        image = on_white(image.convert(_PREMULTIPLIED.get(mode, mode)).convert("RGBA"))
    elif mode not in _DIRECT:
        raise unreadable(name, "unsupported", f"pictures of mode {mode} have no defined brightness range; {_REMEDY}")
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def on_white(image: Image.Image) -> Image.Image:
    """An RGBA image composited on white, as RGB."""
    alpha = image.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return image.convert("RGB")
    page = Image.new("RGB", image.size, (255, 255, 255))
    page.paste(image.convert("RGB"), mask=alpha)
    return page


def to_eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """16-bit values 0..65535 scaled to 0..255, rounded; same shape, uint8."""
    clipped = np.clip(values.astype(np.uint32), 0, 65535)
    return ((clipped + 128) // 257).astype(np.uint8)


def grey_to_rgb(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 ``(H, W)`` repeated to uint8 ``(H, W, 3)``, C-contiguous."""
    return np.repeat(grey[:, :, None], 3, axis=2)
