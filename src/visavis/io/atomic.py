"""Writing files so that a path holds the old content or all of the new, never a part."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from visavis.errors import UsageError, VisavisError


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write into; the path holds it when the block ends well, and is left as it was otherwise.

    Raises:
        OSError: No room, no permission or no folder; nothing is left behind.
    """
    draft = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.part")
    try:
        with draft.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, data: bytes | Iterable[bytes | memoryview]) -> None:
    """Write a file so that a reader sees all of it or none.

    Args:
        path: The file.
        data: All of it, or pieces that are made one after the other.

    Raises:
        OSError: No room, no permission or no folder; nothing is left behind.
    """
    with atomic_file(path) as file:
        for piece in (data,) if isinstance(data, bytes) else data:
            file.write(piece)


def make_folder(path: str | Path) -> Path:
    """Make a folder that a user asked for, with those above it; one that is there will do.

    Returns:
        The path.

    Raises:
        UsageError: It cannot be made, or is a file.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UsageError(f"the folder {folder} cannot be made ({words}); name another one") from error
    return folder


@contextmanager
def output_file(path: str | Path) -> Iterator[BinaryIO]:
    """`atomic_file` for files that a user asked for.

    Raises:
        UsageError: The path cannot be written.
    """
    target = Path(path)
    try:
        with atomic_file(target) as file:
            yield file
    except VisavisError:
        raise
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UsageError(f"{target} cannot be written ({words}); check that the folder exists and has room") from error


def write_output(path: str | Path, data: bytes | Iterable[bytes | memoryview]) -> Path:
    """`write_atomically` for files that a user asked for.

    Returns:
        The path.

    Raises:
        UsageError: The path cannot be written.
    """
    target = Path(path)
    with output_file(target) as file:
        for piece in (data,) if isinstance(data, bytes) else data:
            file.write(piece)
    return target


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Errors of the disk as one that says what to do.

    Raises:
        UsageError: The disk is full, the folder cannot be written, or its name is too long.
    """
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UsageError(f"{path} is too long a name for the file system; give a shorter one") from error
        raise UsageError(
            f"{path} cannot be written ({error.strerror or error}); check that the disk has room and who may write "
            "there, then run it again"
        ) from error
