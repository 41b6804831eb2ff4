"""Files that a command left in its folder, read by the next call of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from zipfile import BadZipFile

from visavis.errors import InputError, UnreadableError

T = TypeVar("T")
_EMPTY = "unreadable.empty"
_BROKEN = (ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError, BadZipFile)


def read_stored(path: Path, read: Callable[[Path], T]) -> T:
    """What a file holds; one that is cut or was changed ends in a word on what to do.

    Args:
        path: The file.
        read: Reads and checks it; raises a ValueError, or what broken JSON and broken archives raise.

    Raises:
        InputError: The file is damaged; or it cannot be opened, as `visavis.io.files.read_file` says.
    """
    try:
        return read(path)
    except (UnreadableError, *_BROKEN) as error:
        if isinstance(error, UnreadableError) and error.reason != _EMPTY:
            raise
        detail = " ".join(f"{type(error).__name__}: {error}".split())[:150]
        raise InputError(f"{path} is damaged ({detail}); remove it and start again with the same words") from error
