"""From encoded bytes to a picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.errors import UnreadableError
from visavis.io._decoder_errors import DECODER_ERRORS, translated
from visavis.io._unreadable import check_bytes, check_size, corrupt, too_slow, truncated, unreadable
from visavis.io.containers import checked
from visavis.io.jpeg import MOST_SCANS, JpegHeader, parse
from visavis.io.jpeg_tail import ends_in_filler
from visavis.io.limits import Limits, default_limits
from visavis.io.orient import upright
from visavis.io.pillow import decode_pillow
from visavis.io.signatures import ACCEPTED, describe, image_format, other_image
from visavis.types.pictures import Picture

# IMREAD_COLOR_RGB exists from OpenCV 4.11 and stands in the place of IMREAD_COLOR; before, channels are swapped after.
_IS_RGB = hasattr(cv2, "IMREAD_COLOR_RGB")
_COLOUR = cv2.IMREAD_IGNORE_ORIENTATION | (cv2.IMREAD_COLOR_RGB if _IS_RGB else cv2.IMREAD_COLOR)
_FLAGS = {
    1: _COLOUR,
    2: _COLOUR | cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: _COLOUR | cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: _COLOUR | cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
# libjpeg-turbo manages 800 million pixels a second and scan on one core of 2024; a quarter of that is promised.
_SCAN_PIXELS_PER_SECOND = 200_000_000
_HUFFMAN_FRAMES = (0xC0, 0xC1, 0xC2)
_ARITHMETIC_FRAMES = (0xC9, 0xCA)


def decode(data: bytes, *, name: str, limits: Limits | None = None, min_side: int | None = None) -> Picture:
    """Decode one picture: JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF or HEIC.

    The format is told by content, never by name. Of animations and multi-page files the first frame is decoded. EXIF
    orientation is applied, alpha is composited on white, ICC profiles are ignored.

    Args:
        data: The encoded picture.
        name: For messages, and `Picture.source`.
        limits: What the picture may cost; the defaults when omitted.
        min_side: The shorter side that the caller needs, in pixels. A JPEG at least twice as large is decoded at a
            half, a quarter or an eighth of its size, which is faster; `Picture.scale` then tells the factors.

    Raises:
        UnreadableError: ``empty``, ``too-large``, ``too-many-pixels``, ``not-an-image``, ``truncated``, ``corrupt``,
            ``unsupported``, ``zero-size`` or ``timeout``.
    """
    limits = limits or default_limits()
    check_bytes(name, len(data), limits)
    if data[:2] == b"\xff\xd8":
        return _jpeg(data, name, limits, min_side)
    kind = image_format(data)
    if kind is None:
        raise _foreign(name, data)
    data = checked(data, kind, name=name, limits=limits)
    return Picture(decode_pillow(data, kind, name=name, limits=limits), name)


def _jpeg(data: bytes, name: str, limits: Limits, min_side: int | None) -> Picture:
    header = parse(data)
    _check_jpeg(header, name, limits)
    if header.frame not in _HUFFMAN_FRAMES or header.components not in (1, 3):
        return Picture(decode_pillow(data, "JPEG", name=name, limits=limits), name)
    pixels = _opencv(data, name, _reduction(header, min_side))
    if ends_in_filler(data, header, pixels):
        raise truncated(name, "JPEG")
    stored_height, stored_width = header.height, header.width
    if header.orientation != 1:
        pixels = upright(pixels, header.orientation)
        if header.orientation > 4:
            stored_height, stored_width = stored_width, stored_height
    height, width, _ = pixels.shape
    return Picture(pixels, name, (stored_width / width, stored_height / height))


def _opencv(data: bytes, name: str, reduction: int) -> NDArray[np.uint8]:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS[reduction])
    except DECODER_ERRORS as error:
        raise translated(name, "JPEG", error) from error
    if pixels is None:
        raise corrupt(name, "JPEG", "the decoder gave up")
    if not _IS_RGB:
        cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)
    return np.asarray(pixels, dtype=np.uint8)


def _check_jpeg(header: JpegHeader, name: str, limits: Limits) -> None:
    if header.frame:
        check_size(name, header.width, header.height, limits)
        if header.precision != 8:
            raise unreadable(
                name, "unsupported", f"a JPEG of {header.precision} bits a sample; save it as 8-bit JPEG or PNG"
            )
        if header.frame not in _HUFFMAN_FRAMES + _ARITHMETIC_FRAMES or header.components not in (1, 3, 4):
            raise unreadable(
                name,
                "unsupported",
                f"a JPEG of frame type 0x{header.frame:02x} with {header.components} components; save it as an "
                "ordinary colour JPEG",
            )
    work = header.scans * header.width * header.height
    if header.scans > MOST_SCANS or work > limits.max_seconds * _SCAN_PIXELS_PER_SECOND:
        raise too_slow(name, "a JPEG of so many scans", limits)
    if header.end < 0:
        raise truncated(name, "JPEG")
    if not header.frame or not header.scans:
        raise corrupt(name, "JPEG", "there is no frame or no scan in it")


def _reduction(header: JpegHeader, min_side: int | None) -> int:
    if min_side is None:
        return 1
    shorter = min(header.width, header.height)
    return next((factor for factor in (8, 4, 2) if -(-shorter // factor) >= min_side), 1)


def _foreign(name: str, data: bytes) -> UnreadableError:
    other = other_image(data)
    if other is not None:
        return unreadable(name, "unsupported", f"{other} pictures are not supported; convert it to one of {ACCEPTED}")
    return unreadable(name, "not-an-image", f"is {describe(data)}; give one of {ACCEPTED}")
