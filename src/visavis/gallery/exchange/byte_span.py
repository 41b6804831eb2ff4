"""Bytes of a file, or of a member of an archive, as a file that can be sought in."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visavis.io.archive_bytes import ArchiveBytes, PlainBytes, open_archive_bytes

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class ByteSpan:
    """Where some bytes are; it can be told to another process.

    Attributes:
        path: The file or archive.
        offset: Where they begin, in the unpacked archive.
        size: How many there are.
        packed: Whether the file is unpacked as it is read, where it is gzip, xz or bzip2.
    """

    path: str
    offset: int
    size: int
    packed: bool = False

    @classmethod
    def of_file(cls, path: str | Path) -> ByteSpan:
        """All bytes of a regular file.

        Raises:
            UnreadableError: It cannot be read.
        """
        PlainBytes(path)  # refuses what is no regular file
        return cls(str(path), 0, Path(path).stat().st_size)

    def open(self) -> SpanFile:
        """A file of these bytes.

        Raises:
            UnreadableError: The file cannot be read.
        """
        return SpanFile(self, open_archive_bytes(self.path) if self.packed else PlainBytes(self.path))


class SpanFile(io.RawIOBase):
    """A span as a binary file that can be read and sought in."""

    def __init__(self, span: ByteSpan, data: ArchiveBytes) -> None:
        self._span, self._data, self._at = span, data, 0

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be sought in."""
        return True

    def tell(self) -> int:
        """The place."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._span.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read as many bytes as there are and fit."""
        size = max(0, min(len(buffer), self._span.size - self._at))
        data = self._data.read_at(self._span.offset + self._at, size)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def blocks(self) -> Iterator[bytes]:
        """All bytes from the place on, in pieces."""
        while block := self.read(_BLOCK):
            yield block
