"""Writing files so that a path holds the old content or all of the new, never a part."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from visavis.errors import UsageError


def write_atomically(path: Path, data: bytes | Iterable[bytes | memoryview]) -> None:
    """Write a file so that a reader sees all of it or none.

    Args:
        path: The file.
        data: All of it, or pieces that are made one after the other.

    Raises:
        OSError: No room, no permission or no folder; nothing is left behind.
    """
    draft = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.part")
    try:
        with draft.open("xb") as file:
            for piece in (data,) if isinstance(data, bytes) else data:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


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


def write_output(path: str | Path, data: bytes | Iterable[bytes | memoryview]) -> Path:
    """`write_atomically` for files that a user asked for.

    Returns:
        The path.

    Raises:
        UsageError: The path cannot be written.
    """
    target = Path(path)
    try:
        write_atomically(target, data)
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UsageError(f"{target} cannot be written ({words}); check that the folder exists and has room") from error
    return target
