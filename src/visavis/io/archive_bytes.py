"""Random access to the bytes of an archive, plain or compressed, from many threads."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import threading
import weakref
import zlib
from pathlib import Path
from typing import IO, Any, Protocol

from visavis.io._unreadable import corrupt, truncated, unreadable
from visavis.io.files import open_regular

_PACKERS: tuple[tuple[bytes, Any], ...] = ((b"\x1f\x8b", gzip.open), (b"\xfd7zXZ\x00", lzma.open), (b"BZh", bz2.open))
# What is wrong with compressed data shows in one of these four classes, depending on the format.
_UNPACK_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError)
_MOST_GROWTH = 200
_FREE_GROWTH = 64 * 1024 * 1024
_LONGEST_READ = 1 << 30


class ArchiveBytes(Protocol):
    """Bytes at an offset; safe to share between threads."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; fewer at the end of the archive."""
        ...


class PlainBytes:
    """A file that is read with one ``pread`` an access, so that threads share no position.

    Args:
        path: An uncompressed archive.

    Raises:
        UnreadableError: Not a regular file that can be opened.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = os.fspath(path)
        self._descriptor = open_regular(self.path)
        weakref.finalize(self, os.close, self._descriptor)
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return PlainBytes, (self.path,)

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; fewer at the end of the archive."""
        parts, have = [], 0
        try:
            while have < size and (part := self._pread(min(size - have, _LONGEST_READ), offset + have)):
                parts.append(part)
                have += len(part)
        except (OSError, OverflowError) as error:
            raise unreadable(self.path, "io-error", f"the system cannot read it ({error}); check the disk") from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _pread(self, size: int, offset: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._descriptor, size, offset)
        with self._lock:
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            return os.read(self._descriptor, size)


class PackedBytes:
    """A gzip, xz or bzip2 file, unpacked on the fly; nothing is written to disk.

    Reading forward costs one pass. Reading backward starts again from the beginning, so random access to a large
    compressed archive is slow: unpack it first. Archives that unpack to more than 200 times their size are refused.

    Args:
        path: The archive.
        opener: ``gzip.open``, ``lzma.open`` or ``bz2.open``.
    """

    def __init__(self, path: str | Path, opener: Any) -> None:
        self.path = os.fspath(path)
        self._opener = opener
        raw = os.fdopen(open_regular(self.path), "rb")
        self._most = growth_limit(os.fstat(raw.fileno()).st_size)
        self._stream: IO[bytes] = opener(raw, "rb")
        weakref.finalize(self, raw.close)
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedBytes, (self.path, self._opener)

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset`` of the unpacked data; fewer at its end."""
        if offset + size > self._most:
            raise unreadable(
                self.path,
                "too-large",
                f"unpacks to more than {_MOST_GROWTH} times its size; unpack it first if it can be trusted",
            )
        try:
            with self._lock:
                self._stream.seek(offset)
                return self._stream.read(size)
        except EOFError as error:
            raise truncated(self.path, "archive") from error
        except _UNPACK_ERRORS as error:
            raise corrupt(self.path, "archive", str(error)) from error


def growth_limit(size: int) -> int:
    """How many bytes a file of this many may unpack to: 200 times as many, and 64 MiB in any case."""
    return size * _MOST_GROWTH + _FREE_GROWTH


def open_archive_bytes(path: str | Path) -> ArchiveBytes:
    """The bytes of an archive, unpacked when it is gzip, xz or bzip2 by content.

    Raises:
        UnreadableError: Not a regular file that can be opened.
    """
    plain = PlainBytes(path)
    head = plain.read_at(0, 6)
    opener = next((opener for magic, opener in _PACKERS if head.startswith(magic)), None)
    return plain if opener is None else PackedBytes(path, opener)
