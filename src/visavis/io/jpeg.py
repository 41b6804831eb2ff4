"""What a JPEG says about itself, read from its markers without decoding it."""

from __future__ import annotations

import re
from typing import NamedTuple

from visavis.io.exif import orientation as exif_orientation

# In entropy-coded data 0xFF is followed by 00 (stuffing), D0..D7 (restart) or FF (fill); all else is a marker.
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x01, 0xD8})
_END, _SCAN, _APP1 = 0xD9, 0xDA, 0xE1
_MOST_SEGMENTS = 20_000
MOST_SCANS = 1000


class JpegHeader(NamedTuple):
    """The facts of a JPEG that decide how it is decoded.

    Attributes:
        width: Pixels as stored; 0 when there is no frame header.
        height: Pixels as stored.
        components: 1 grey, 3 colour, 4 CMYK or YCCK.
        precision: Bits per sample.
        frame: The frame marker: 0xC0 baseline, 0xC1 extended, 0xC2 progressive, 0xC3 lossless ...; 0 for none.
        orientation: EXIF orientation 1..8.
        scans: How many scans there are; counting stops above 1000.
        end: Where the end marker of this picture starts, in bytes; -1 when the walk from marker to marker never
            reached it. The end marker of an embedded EXIF thumbnail lies inside a segment and does not count.
    """

    width: int
    height: int
    components: int
    precision: int
    frame: int
    orientation: int
    scans: int
    end: int


def parse(data: bytes) -> JpegHeader:
    """Walk the markers of a JPEG (ITU-T T.81, annex B).

    Args:
        data: The encoded picture, from its start marker ``FF D8``.

    Returns:
        The header; a truncated or damaged picture gives ``end=-1`` or ``width=0``, never an error.
    """
    width = height = components = precision = frame = scans = 0
    orientation = 1
    position, length, end = 2, len(data), -1
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.search(data, position)
        if found is None:
            break
        start = found.end()
        marker = data[start - 1]
        if marker == _END:
            end = start - 2
            break
        if marker in _WITHOUT_LENGTH:
            position = start
            continue
        position = start + int.from_bytes(data[start : start + 2], "big")
        if position > length or position < start + 2:
            break
        if marker == _SCAN:
            scans += 1
            if scans > MOST_SCANS:
                break
        elif marker in _FRAMES and frame == 0 and position >= start + 8:
            frame = marker
            precision, components = data[start + 2], data[start + 7]
            height = int.from_bytes(data[start + 3 : start + 5], "big")
            width = int.from_bytes(data[start + 5 : start + 7], "big")
        elif marker == _APP1 and orientation == 1 and data[start + 2 : start + 8] == b"Exif\x00\x00":
            orientation = exif_orientation(data[start + 8 : position])
    return JpegHeader(width, height, components, precision, frame, orientation, scans, end)
