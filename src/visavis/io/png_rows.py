"""Does the compressed data of a PNG hold all of its rows?"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_WHOLE = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_PIECE = 1 << 20


def has_all_rows(data: bytes) -> bool:
    """False when the picture data of a PNG ends before its last row.

    Pillow accepts such a file and leaves the missing rows black. The check inflates the data once more, in pieces.

    Args:
        data: A PNG whose chunks have been walked and found complete.

    Raises:
        zlib.error: The data is not a zlib stream.
    """
    missing = _expected(data)
    unpacker = zlib.decompressobj()
    for body in _picture_data(data):
        while body and missing > 0:
            missing -= len(unpacker.decompress(body, _PIECE))
            body = unpacker.unconsumed_tail
    return missing <= len(unpacker.flush())


def _expected(data: bytes) -> int:
    """The length of the inflated data: a filter byte and the packed samples of every row of every pass."""
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    bits = data[24] * _SAMPLES.get(data[25], 1)
    total = 0
    for left, top, across, down in _ADAM7 if data[28] else _WHOLE:
        columns, rows = -((left - width) // across), -((top - height) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total


def _picture_data(data: bytes) -> Iterator[bytes]:
    position = 8
    while position + 8 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] == b"IDAT":
            yield data[position + 8 : position + 8 + length]
        position += 12 + length
