"""Finding a JPEG that was cut and closed again with an end marker."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import JpegImagePlugin

from visavis.io._decoder_errors import DECODER_ERRORS
from visavis.io.jpeg import JpegHeader

_GREY = b"\x80\x80\x80"
_SEQUENTIAL = (0xC0, 0xC1)
_BLOCK = 16
_DROPS = (2, 4, 6, 8, 12, 16, 32)
_MOST_PIXELS = 100_000_000  # decoded in all for one check
_BLOCKS_PER_BYTE = 2


def ends_in_filler(data: bytes, header: JpegHeader, pixels: NDArray[np.uint8]) -> bool:
    """True when the end of the picture is filler for entropy data that is not there.

    libjpeg fills blocks without data with exact middle grey. That colour in the last pixel is the cheap first test.
    The second decodes again without the last 2, 4 ... 32 bytes of entropy data, whichever first makes a difference: in
    a whole picture only its very last blocks change (a block costs at least 2 bits), in a cut picture blocks further
    up. Sequential JPEGs of one scan only; a cut that loses fewer than 4 to 64 blocks of 16 x 16 pixels is not found.

    Args:
        data: The encoded picture; complete by its markers.
        header: Its parsed header.
        pixels: uint8 RGB ``(H, W, 3)`` as decoded, before orientation.
    """
    if pixels[-1, -1].tobytes() != _GREY or header.scans != 1 or header.frame not in _SEQUENTIAL:
        return False
    try:
        whole = _luma(data)
        for dropped in _DROPS[: max(1, _MOST_PIXELS // whole.size)]:
            changed = whole != _luma(data[: header.end - dropped] + data[header.end :])
            # Colour is coarser than brightness and is smoothed over the edge of its block into the one before.
            changed[_BLOCK - 1 :: _BLOCK] = changed[:, _BLOCK - 1 :: _BLOCK] = False
            if changed.any():
                return _blocks_after(changed) > _BLOCKS_PER_BYTE * dropped
    except DECODER_ERRORS:
        return False
    return False


def _blocks_after(changed: NDArray[np.bool_]) -> int:
    """How many 16 x 16 blocks follow the last one with a change, in reading order."""
    rows, columns = np.nonzero(changed)
    across, down = -(-changed.shape[1] // _BLOCK), -(-changed.shape[0] // _BLOCK)
    last = int((rows // _BLOCK * across + columns // _BLOCK).max())
    return int(across * down - 1 - last)


def _luma(data: bytes) -> NDArray[np.uint8]:
    # Pillow, because its libjpeg does not write warnings to stderr.
    image = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    return np.asarray(image.convert("L"))
