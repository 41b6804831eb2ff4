"""Reading a regular file, and nothing but a regular file."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from visavis.errors import UnreadableError
from visavis.io._unreadable import check_bytes, unreadable
from visavis.io.limits import Limits, default_limits

# O_NONBLOCK: a FIFO put in place of the file between stat and open must not hang the process.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO (named pipe)"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISSOCK, "a socket"),
)
_CHUNK = 1 << 26


def read_file(path: str | Path, limits: Limits | None = None) -> bytes:
    """The bytes of a regular file; a symbolic link to a regular file is followed.

    Args:
        path: The file.
        limits: `Limits.max_bytes` is the longest file that is read.

    Raises:
        UnreadableError: ``missing``, ``not-a-file``, ``permission``, ``empty``, ``too-large`` or ``io-error``.
    """
    name = os.fspath(path)
    limits = limits or default_limits()
    descriptor = open_regular(name)
    try:
        size = os.fstat(descriptor).st_size
        check_bytes(name, size, limits)
        data = os.read(descriptor, min(size, _CHUNK))
        return data if len(data) == size else _rest(descriptor, data, size)
    except OSError as error:
        raise _refusal(name, error) from error
    finally:
        os.close(descriptor)


def is_folder(path: str | Path) -> bool:
    """Whether a path leads to a folder; False, and no error, for paths that the system refuses (too long, NUL)."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: str | Path) -> bool:
    """Whether a path leads to a regular file; False, and no error, for paths that the system refuses."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def open_regular(name: str) -> int:
    """A file descriptor for reading the regular file ``name``; the caller closes it.

    Raises:
        UnreadableError: ``missing``, ``not-a-file``, ``permission`` or ``io-error``.
    """
    try:
        _check_kind(name, os.stat(name).st_mode)  # noqa: PTH116 - a Path would cost as much as the call
        descriptor = os.open(name, _FLAGS)
    except (OSError, ValueError) as error:
        raise _refusal(name, error) from error
    try:
        _check_kind(name, os.fstat(descriptor).st_mode)
    except UnreadableError:
        os.close(descriptor)
        raise
    return descriptor


def _rest(descriptor: int, data: bytes, size: int) -> bytes:
    parts = [data]
    missing = size - len(data)
    while missing > 0 and (part := os.read(descriptor, min(missing, _CHUNK))):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _check_kind(name: str, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    kind = next((words for test, words in _KINDS if test(mode)), "not a regular file")
    raise unreadable(name, "not-a-file", f"is {kind}; give a regular image file")


def _refusal(name: str, error: OSError | ValueError) -> UnreadableError:
    code = error.errno if isinstance(error, OSError) else errno.ENOENT
    if code in (errno.EACCES, errno.EPERM):
        return unreadable(name, "permission", "permission denied; check who may read the file and its folders")
    if code == errno.ELOOP:
        return unreadable(name, "not-a-file", "is a symbolic link that leads back to itself; give a regular image file")
    if code in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
        return unreadable(name, "missing", _missing(name))
    return unreadable(name, "io-error", f"the system cannot read it ({error}); check the disk or network share")


def _missing(name: str) -> str:
    try:
        target = str(Path(name).readlink())
    except (OSError, ValueError):
        return "no such file; check the path"
    return f"is a dangling symbolic link: {target!r} does not exist; restore its target"
