"""One person's templates out of a file, by name."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from visavis.errors import NoFaceError, UsageError
from visavis.io._unreadable import printable
from visavis.recognition.compact_file import SUFFIX, read_compact
from visavis.recognition.pooling import pool
from visavis.types import Templates

MARK = f"{SUFFIX}::"
"""What stands between a file of templates and a name in it."""


def is_stored(word: str) -> bool:
    """Whether a word names templates in a file, ``store.vvt::NAME``."""
    return MARK in word.lower()


def stored_template(word: str) -> Templates:
    """The templates of a name, pooled into one row.

    Args:
        word: ``store.vvt::NAME``; the name of a picture as it was given to `visavis embed`.

    Raises:
        InputError: The file is none, or damaged.
        UsageError: It holds no such name, or no names.
        NoFaceError: Every row of that name failed.
    """
    place = word.lower().index(MARK) + len(SUFFIX)
    path, name = Path(word[:place]), word[place + len("::") :]
    templates = read_compact(path)
    names = templates.names or ()
    rows = [row for row, known in enumerate(names) if known == name]
    if not rows:
        near = get_close_matches(name, names, n=3) or sorted(set(names))[:3]
        told = f"; there are {', '.join(map(printable, near))} ..." if names else "; it holds no names at all"
        raise UsageError(f"{path} holds no template named {printable(name)}{told}")
    found = templates[rows].decoded()
    if not found.ok.any():
        failure = next(failure for failure in found.status if failure is not None)
        raise NoFaceError(f"{printable(word)}: {failure.message}", reason=failure.reason)
    return pool(found[found.ok])
