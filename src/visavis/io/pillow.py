"""Decoding with Pillow: everything that is not an ordinary JPEG."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    features,
)

from visavis._require import require
from visavis.errors import DependencyError
from visavis.io._decoder_errors import DECODER_ERRORS, translated
from visavis.io._unreadable import check_size, truncated, unreadable
from visavis.io.exif import orientation
from visavis.io.limits import Limits
from visavis.io.modes import rgb_pixels
from visavis.io.orient import upright
from visavis.io.png_rows import has_all_rows

_ORIENTATION = 0x0112
# The plugin classes are called directly: Image.open would compare with the global Image.MAX_IMAGE_PIXELS (the limit
# here is per call), try other plugins, and hand EPS files to ghostscript.
_PLUGINS: dict[str, Any] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "GIF": GifImagePlugin.GifImageFile,
}


def decode_pillow(data: bytes, kind: str, *, name: str, limits: Limits) -> NDArray[np.uint8]:
    """Decode the first frame or page of a picture, upright.

    Args:
        data: The encoded picture; its container has been checked.
        kind: Its format as told by `visavis.io.signatures.image_format`.
        name: For messages.
        limits: What the picture may cost.

    Returns:
        uint8 RGB ``(H, W, 3)``, C-contiguous, after EXIF orientation. Alpha lies on white; ICC profiles are ignored.

    Raises:
        UnreadableError: Any reason from ``zero-size`` to ``unsupported``.
    """
    try:
        image = _opened(data, kind, name)
        check_size(name, *image.size, limits)
        image.load()
        if kind == "PNG" and _last_row_is_blank(image) and not has_all_rows(data):
            raise truncated(name, kind)
        turn = _orientation(image, kind)
        return upright(rgb_pixels(image, name=name), turn)
    except DECODER_ERRORS as error:
        raise translated(name, kind, error) from error


def _opened(data: bytes, kind: str, name: str) -> Image.Image:
    if kind == "HEIC":
        return _heic(data, name)
    if kind in ("AVIF", "WebP") and not features.check(kind.lower()):
        raise unreadable(
            name, "unsupported", f"this Pillow cannot decode {kind}; run: pip install --upgrade 'pillow>=11.3'"
        )
    if kind == "AVIF":
        plugin = __import__("PIL.AvifImagePlugin", fromlist=["AvifImageFile"]).AvifImageFile
    else:
        plugin = _PLUGINS[kind]
    image: Image.Image = plugin(io.BytesIO(data))
    return image


def _heic(data: bytes, name: str) -> Image.Image:
    try:
        heif = require("pillow_heif", extra="heic", why="reading HEIC pictures")
    except DependencyError as error:
        raise unreadable(name, "unsupported", error.message) from error
    container = heif.open_heif(data)
    image: Image.Image = container[container.primary_index].to_pillow()
    return image


def _orientation(image: Image.Image, kind: str) -> int:
    """EXIF orientation still to be applied; libheif has applied it, and Pillow may have for TIFF."""
    if kind == "TIFF":
        value = image.getexif().get(_ORIENTATION, 1)
        return value if isinstance(value, int) else 1
    block = image.info.get("exif")
    return orientation(block) if kind != "HEIC" and isinstance(block, bytes) else 1


def _last_row_is_blank(image: Image.Image) -> bool:
    width, height = image.size
    return not any(image.crop((0, height - 1, width, height)).tobytes())
