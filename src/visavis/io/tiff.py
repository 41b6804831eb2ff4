"""Checks on the first directory of a TIFF, before a decoder sees it."""

from __future__ import annotations

import struct

from visavis.io._unreadable import check_size, corrupt, too_slow, truncated
from visavis.io.limits import Limits

_STRIPS_PER_SECOND = 10_000
_MOST_ENTRIES = 4096
# struct raises the second for offsets beyond 63 bits (BigTIFF).
_OUTSIDE = (struct.error, OverflowError)
_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8, 17: 8}
_BASELINE_TAGS = range(254, 533)
_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 322, 323
_STRIP_OFFSETS, _STRIP_BYTES, _TILE_OFFSETS, _TILE_BYTES = 273, 279, 324, 325


def check_tiff(data: bytes, *, name: str, limits: Limits) -> None:
    """Refuse a TIFF (or BigTIFF) whose first page is incomplete, too large or too finely cut.

    Only the first page is read, so chains or loops of thousands of directories cost nothing.

    Raises:
        UnreadableError: ``truncated``, ``corrupt``, ``zero-size``, ``too-many-pixels`` or ``timeout``.
    """
    try:
        entries = _entries(data)
    except _OUTSIDE:
        raise truncated(name, "TIFF") from None
    if entries is None:
        raise corrupt(name, "TIFF", "the first directory is not plausible")
    order, table = entries
    wanted = int(limits.max_seconds * _STRIPS_PER_SECOND)
    if any(table[tag][1] > wanted for tag in (_STRIP_OFFSETS, _TILE_OFFSETS) if tag in table):
        raise too_slow(name, "a TIFF of so many strips or tiles", limits)
    try:
        values = {tag: _values(data, order, *entry) for tag, entry in table.items()}
    except _OUTSIDE:
        raise truncated(name, "TIFF") from None
    check_size(name, _first(values, _WIDTH), _first(values, _HEIGHT), limits)
    if _TILE_WIDTH in values and _TILE_HEIGHT in values:
        check_size(name, _first(values, _TILE_WIDTH), _first(values, _TILE_HEIGHT), limits)
    for offsets, lengths in ((_STRIP_OFFSETS, _STRIP_BYTES), (_TILE_OFFSETS, _TILE_BYTES)):
        ends = zip(values.get(offsets, ()), values.get(lengths, ()), strict=False)
        if any(start + length > len(data) for start, length in ends):
            raise truncated(name, "TIFF")


def _entries(data: bytes) -> tuple[str, dict[int, tuple[str, int, int]]] | None:
    """Byte order, and of each integer tag in use its struct letter, count and where the values are."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    (directory,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, directory)
    if count == 0 or count > _MOST_ENTRIES:
        return None
    start, step, inline = (directory + 8, 20, 8) if big else (directory + 2, 12, 4)
    table = {}
    for position in range(start, start + step * count, step):
        tag, kind, values = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, position)
        if tag not in _BASELINE_TAGS or kind not in _TYPE_BYTES:
            continue
        where, length = position + step - inline, values * _TYPE_BYTES[kind]
        if length > inline:
            (where,) = struct.unpack_from(order + ("Q" if big else "I"), data, where)
        if tag in _USED and kind in _INTEGERS:
            table[tag] = (_INTEGERS[kind], values, where)
        elif where + length > len(data):
            raise struct.error("values outside of the file")
    return order, table


def _values(data: bytes, order: str, letter: str, count: int, where: int) -> tuple[int, ...]:
    if count * struct.calcsize(letter) > len(data):
        raise struct.error("more values than bytes")
    return struct.unpack_from(f"{order}{count}{letter}", data, where)


def _first(values: dict[int, tuple[int, ...]], tag: int) -> int:
    return (values.get(tag) or (0,))[0]


_USED = frozenset(
    {_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT, _STRIP_OFFSETS, _STRIP_BYTES, _TILE_OFFSETS, _TILE_BYTES}
)
