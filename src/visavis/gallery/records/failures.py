"""What a database says when it cannot go on, in plain words."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import DatabaseError

from visavis.errors import InputError
from visavis.gallery.records.dialect import WAIT_SECONDS
from visavis.gallery.records.tables import BrokenValue

_Result = TypeVar("_Result")
_PAUSE_SECONDS = 0.02
_WORDS = (
    (
        "locked",
        "gallery.locked",
        f"is being written by another program for more than {WAIT_SECONDS:g} s; try again when it has ended",
    ),
    (
        "full",
        "gallery.full",
        "cannot grow, the disk is full; nothing of this step was kept and nothing before it is lost: make room, run it "
        "again",
    ),
    ("i/o error", "gallery.full", "cannot be written (disk error or full disk); check the disk and run it again"),
    ("readonly", "gallery.permission", "may not be written; check who may write the file and its folder"),
    (
        "unable to open",
        "gallery.permission",
        "cannot be opened; check that the file and its folder may be read and written",
    ),
    ("not a database", "gallery.format", "is no gallery; name a file that visavis made, or another path for a new one"),
)


@contextmanager
def in_plain_words(path: Path) -> Iterator[None]:
    """Errors of the database as ours.

    Raises:
        InputError: ``gallery.locked``, ``gallery.full``, ``gallery.permission``, ``gallery.format`` or
            ``gallery.damaged``.
    """
    try:
        yield
    except DatabaseError as error:
        raise _plain(path, str(error.orig)) from error
    except BrokenValue as error:
        raise damaged(path, str(error)) from error


def patiently(work: Callable[[], _Result], *, seconds: float) -> _Result:
    """What some work gives, tried again while another connection is in the way; for so long."""
    end = time.monotonic() + seconds
    while True:
        try:
            return work()
        except DatabaseError as error:
            if not _is_locked(error) or time.monotonic() > end:
                raise
            time.sleep(_PAUSE_SECONDS * (0.5 + random.random()))


def _is_locked(error: DatabaseError) -> bool:
    return "locked" in str(error.orig).lower()


def damaged(path: Path, words: str) -> InputError:
    """The error for a file that contradicts itself."""
    return InputError(
        f"the gallery {path} is damaged ({words}); take a copy of the last backup, or save what can be read with "
        "visavis gallery export",
        reason="gallery.damaged",
    )


def _plain(path: Path, words: str) -> InputError:
    for part, reason, text in _WORDS:
        if part in words.lower():
            return InputError(f"the gallery {path} {text}", reason=reason)
    return damaged(path, words)
