"""Where an export may go."""

from __future__ import annotations

from pathlib import Path

from visavis.errors import UsageError
from visavis.io.archive_bytes import PlainBytes
from visavis.io.files import is_file

_SQLITE = b"SQLite format 3\x00"


def no_database(path: str | Path) -> Path:
    """A path to write to, which is no gallery: a file that is replaced is gone with all people in it.

    Raises:
        UsageError: A SQLite database is there, whatever its name.
    """
    target = Path(path)
    if is_file(target) and PlainBytes(target).read_at(0, len(_SQLITE)) == _SQLITE:
        raise UsageError(f"{target} is a gallery or another database, and would be lost; name another file to write to")
    return target
