"""Checks on the outside of a picture file, before any decoder sees it.

Each check walks the chunks of its format by their declared lengths: what ends early is `truncated`, what has no
pixels or too many is refused, and a file made of a million empty chunks is refused instead of parsed. The cost is a
few microseconds for ordinary files.
"""

from __future__ import annotations

from collections.abc import Callable

from visavis.io._unreadable import check_size, corrupt, too_slow, truncated
from visavis.io.limits import Limits
from visavis.io.tiff import check_tiff

_CHUNKS_PER_SECOND = 50_000
_RLE_BYTES_PER_SECOND = 500_000
_BMP_RLE = (1, 2)
_PNG_PALETTE = 3


def checked(data: bytes, kind: str, *, name: str, limits: Limits) -> bytes:
    """The data that the decoder needs; for GIF that is the first frame alone.

    Args:
        data: The encoded picture.
        kind: Its format as told by `visavis.io.signatures.image_format`.
        name: For messages.
        limits: What the picture may cost.

    Raises:
        UnreadableError: ``truncated``, ``corrupt``, ``zero-size``, ``too-many-pixels`` or ``timeout``.
    """
    return _CHECKS[kind](data, name, limits)


def _png(data: bytes, name: str, limits: Limits) -> bytes:
    if len(data) < 33:
        raise truncated(name, "PNG")
    if data[8:16] != b"\x00\x00\x00\rIHDR":
        raise corrupt(name, "PNG", "the first chunk is not IHDR")
    check_size(name, _big(data, 16), _big(data, 20), limits)
    position, length, kinds = 8, len(data), set()
    for _ in range(int(limits.max_seconds * _CHUNKS_PER_SECOND)):
        kind = data[position + 4 : position + 8]
        position += 12 + _big(data, position)
        if position > length:
            raise truncated(name, "PNG")
        kinds.add(kind)
        if kind == b"IEND":
            break
    else:
        raise too_slow(name, "a PNG of so many chunks", limits)
    missing = {b"IDAT", b"PLTE"} - kinds if data[25] == _PNG_PALETTE else {b"IDAT"} - kinds
    if missing:
        raise corrupt(name, "PNG", f"there is no {min(missing).decode()} chunk")
    return data


def _webp(data: bytes, name: str, limits: Limits) -> bytes:
    if len(data) < 30 or 8 + int.from_bytes(data[4:8], "little") > len(data):
        raise truncated(name, "WebP")
    kind = data[12:16]
    if kind == b"VP8X":
        check_size(name, 1 + _little(data[24:27]), 1 + _little(data[27:30]), limits)
    elif kind == b"VP8L":
        bits = _little(data[21:25])
        check_size(name, 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), limits)
    elif kind == b"VP8 ":
        check_size(name, _little(data[26:28]) & 0x3FFF, _little(data[28:30]) & 0x3FFF, limits)
    else:
        raise corrupt(name, "WebP", "there is no VP8 chunk")
    return data


def _bmp(data: bytes, name: str, limits: Limits) -> bytes:
    if len(data) < 26:
        raise truncated(name, "BMP")
    old = _little(data[14:18]) == 12
    width = _little(data[18:20]) if old else int.from_bytes(data[18:22], "little", signed=True)
    height = _little(data[20:22]) if old else abs(int.from_bytes(data[22:26], "little", signed=True))
    check_size(name, width, height, limits)
    compression = 0 if old else _little(data[30:34])
    if compression in _BMP_RLE and len(data) > limits.max_seconds * _RLE_BYTES_PER_SECOND:
        raise too_slow(name, "a run-length coded BMP of this size", limits)
    return data


def _gif(data: bytes, name: str, limits: Limits) -> bytes:
    position, control = 13 + _table(data, 10), b""
    head = data[:position]
    for _ in range(int(limits.max_seconds * _CHUNKS_PER_SECOND)):
        kind = data[position : position + 1]
        if kind == b"!":
            end = _blocks_end(data, position + 2, name)
            control = data[position:end] if data[position + 1] == 0xF9 else control
            position = end
        elif kind == b",":
            _gif_frame_size(data, position, name, limits)
            end = _blocks_end(data, position + 11 + _table(data, position + 9), name)
            return head + control + data[position:end] + b";"
        elif kind == b";":
            raise corrupt(name, "GIF", "there is no picture in it")
        elif kind:
            raise corrupt(name, "GIF", f"unknown block 0x{kind[0]:02x}")
        else:
            raise truncated(name, "GIF")
    raise too_slow(name, "a GIF of so many blocks", limits)


def _gif_frame_size(data: bytes, position: int, name: str, limits: Limits) -> None:
    left, top, width, height = (_little(data[start : start + 2]) for start in range(position + 1, position + 9, 2))
    check_size(name, max(_little(data[6:8]), left + width), max(_little(data[8:10]), top + height), limits)
    check_size(name, width, height, limits)


def _table(data: bytes, position: int) -> int:
    """The length in bytes of the colour table that the flags at ``position`` announce."""
    flags = data[position] if position < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _blocks_end(data: bytes, position: int, name: str) -> int:
    """Where a chain of GIF sub-blocks ends."""
    length = len(data)
    while position < length:
        step = data[position]
        position += step + 1
        if step == 0 and position <= length:
            return position
    raise truncated(name, "GIF")


def _boxes(data: bytes, name: str, limits: Limits) -> bytes:
    position, length = 0, len(data)
    for _ in range(int(limits.max_seconds * _CHUNKS_PER_SECOND)):
        if position == length:
            return data
        size = _big(data, position)
        header = 8
        if size == 1:
            size, header = int.from_bytes(data[position + 8 : position + 16], "big"), 16
        size = size or length - position
        if position + size > length or position + header > length:
            raise truncated(name, "HEIF")
        if size < header:
            raise corrupt(name, "HEIF", "a box is smaller than its header")
        position += size
    raise too_slow(name, "a HEIF file of so many boxes", limits)


def _tiff(data: bytes, name: str, limits: Limits) -> bytes:
    check_tiff(data, name=name, limits=limits)
    return data


def _big(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 4], "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


_CHECKS: dict[str, Callable[[bytes, str, Limits], bytes]] = {
    "PNG": _png,
    "WebP": _webp,
    "BMP": _bmp,
    "GIF": _gif,
    "TIFF": _tiff,
    "AVIF": _boxes,
    "HEIC": _boxes,
}
