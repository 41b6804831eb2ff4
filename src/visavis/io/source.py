"""A picture that has been found but not read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from visavis.errors import UnreadableError
from visavis.io.files import read_file
from visavis.io.limits import Limits, default_limits

IMAGE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .bmp .dib .tif .tiff .gif .heic .heif .hif .avif".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Source:
    """One encoded picture somewhere: in a file, or in a tar archive.

    Safe to share between threads, and can be pickled.

    Attributes:
        name: For messages and reports: the path, or ``archive.tar::member``.
        reader: Called with the limits; returns the encoded bytes.
    """

    name: str
    reader: Callable[[Limits], bytes] = field(repr=False, compare=False)

    @classmethod
    def of_file(cls, path: str | Path) -> Source:
        """The picture in a file; the file is looked at when it is read."""
        return cls(str(path), partial(read_file, path))

    @classmethod
    def refused(cls, name: str, error: UnreadableError) -> Source:
        """A source that raises the error when it is read, so that it becomes a failed row."""
        return cls(name, partial(_refuse, error.message, error.reason))

    def read_bytes(self, limits: Limits | None = None) -> bytes:
        """The encoded bytes.

        Args:
            limits: `Limits.max_bytes` holds; the defaults when omitted.

        Raises:
            UnreadableError: The bytes cannot be read.
        """
        return self.reader(limits or default_limits())


def is_image_name(name: str) -> bool:
    """True for a name with the suffix of a picture, unless it is hidden (``._faces.jpg``)."""
    last = name.rsplit("/", 1)[-1]
    dot = last.rfind(".")
    return dot > 0 and last[0] != "." and last[dot:].lower() in IMAGE_SUFFIXES


def _refuse(message: str, reason: str, limits: Limits) -> bytes:
    raise UnreadableError(message, reason=reason)
