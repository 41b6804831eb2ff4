"""The EXIF orientation, from the raw bytes of an EXIF block."""

from __future__ import annotations

import struct

_ORIENTATION = 0x0112
_SHORT = 3
_BYTE_ORDERS = {b"II*\x00": "<", b"MM\x00*": ">"}
_MOST_ENTRIES = 1000


def orientation(block: bytes) -> int:
    """The orientation tag of an EXIF block: 1..8.

    A block that is damaged or has no such tag counts as 1: metadata never makes a picture unreadable.

    Args:
        block: A TIFF header and its first directory, with or without the six-byte ``Exif`` prefix.
    """
    if block[:6] == b"Exif\x00\x00":
        block = block[6:]
    order = _BYTE_ORDERS.get(block[:4])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(order + "I", block, 4)
        (entries,) = struct.unpack_from(order + "H", block, directory)
        for row in range(min(entries, _MOST_ENTRIES)):
            tag, kind, _count, value = struct.unpack_from(order + "HHIH", block, directory + 2 + 12 * row)
            if tag == _ORIENTATION:
                return value if kind == _SHORT and 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1
