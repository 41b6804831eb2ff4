"""What the decoders may raise on hostile data, and what each means."""

from __future__ import annotations

import struct
import zlib

import cv2
from PIL import Image

from visavis.errors import UnreadableError
from visavis.io._unreadable import corrupt, truncated, unreadable

# Deliberately wide, and in this one place only. Pillow's plugins are parsers in Python that index, unpack and divide
# with whatever the file says: fuzzing them yields every class below, and none is part of a documented contract. The
# data is the cause in each case (the calls themselves are fixed), so each means "this picture is unreadable". Warning
# is there for callers who turn warnings into errors. Nothing else is caught: KeyboardInterrupt and our own errors pass.
DECODER_ERRORS: tuple[type[Exception], ...] = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    AttributeError,
    AssertionError,
    BufferError,
    RuntimeError,
    MemoryError,
    Warning,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    cv2.error,
)
_ENDS_EARLY = ("truncated", "not enough", "unexpected end", "end of file", "premature", "unpack requires")
_NOT_SUPPORTED = (
    "unsupported",
    "not supported",
    "unknown",
    "cannot handle",
    "not available",
    "unrecognized image mode",
)


def translated(name: str, kind: str, error: Exception) -> UnreadableError:
    """The error that visavis raises for an error of a decoder.

    Args:
        name: The picture.
        kind: Its format, for the message: ``PNG``.
        error: One of `DECODER_ERRORS`.

    Returns:
        ``unreadable.truncated``, ``.unsupported``, ``.too-many-pixels`` or ``.corrupt``.
    """
    text = str(error) or type(error).__name__
    lower = text.lower()
    if isinstance(error, MemoryError):
        return unreadable(name, "too-many-pixels", f"the {kind} picture does not fit into memory; scale it down")
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return unreadable(
            name,
            "too-many-pixels",
            f"Pillow's own limit holds for {kind} too ({text}); raise PIL.Image.MAX_IMAGE_PIXELS",
        )
    if isinstance(error, EOFError) or any(words in lower for words in _ENDS_EARLY):
        return truncated(name, kind)
    if any(words in lower for words in _NOT_SUPPORTED):
        return unreadable(
            name, "unsupported", f"this variant of {kind} is not supported ({text}); save it as 8-bit PNG or JPEG"
        )
    return corrupt(name, kind, text)
