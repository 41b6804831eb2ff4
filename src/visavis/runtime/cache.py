"""The folder of prepared files: checked by sha256, written atomically, safe under two first runs."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from visavis.io.atomic import write_atomically

_log = logging.getLogger("visavis")
_LOCK_SECONDS = 300.0


def sha256(data: bytes) -> str:
    """Hexadecimal sha256."""
    return hashlib.sha256(data).hexdigest()


def cache_folder() -> Path:
    """``VISAVIS_CACHE``, or the platform's cache folder for visavis."""
    chosen = os.environ.get("VISAVIS_CACHE")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("visavis", appauthor=False))


def _read_checked(path: Path) -> bytes | None:
    """A cached file whose last 64 bytes are the sha256 of the rest; None when absent or damaged."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    data, digest = stored[:-64], stored[-64:]
    if sha256(data).encode() != digest:
        _log.warning("the cached file %s is damaged and is made again", path)
        return None
    return data


def cached(name: str, make: Callable[[], bytes]) -> bytes:
    """The bytes stored under a name, made once.

    Two processes that need the same name at once make it once. Where the folder cannot be written (a
    read-only home, a full disk) the bytes are made in memory every time, and a warning says so.

    Args:
        name: File name that stands for the content: put the hash of everything that decides it in.
        make: Computes the bytes.

    Returns:
        The bytes, checked against the sha256 that was stored with them.
    """
    path = cache_folder() / name
    data = _read_checked(path)
    if data is not None:
        return data
    lock = FileLock(f"{path}.lock", timeout=_LOCK_SECONDS)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except (OSError, Timeout) as error:
        _cannot_keep(path, error)
        return make()
    try:
        data = _read_checked(path)
        if data is None:
            data = make()
            try:
                write_atomically(path, data + sha256(data).encode())
            except OSError as error:
                _cannot_keep(path, error)
        return data
    finally:
        lock.release()


def _cannot_keep(path: Path, error: Exception) -> None:
    _log.warning(
        "cannot keep %s in %s (%s); it is made again every time. Set VISAVIS_CACHE to a folder that can be written",
        path.name,
        path.parent,
        error,
    )
