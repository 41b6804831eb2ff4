"""One process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from visavis.errors import VisavisError
from visavis.io.atomic import disk_errors


@contextmanager
def alone(lock: Path, busy: VisavisError) -> Iterator[None]:
    """Holds a lock for as long as the block lasts; the system gives it back when the process dies.

    Args:
        lock: A file of its own, made when it is not there.
        busy: Raised when another process holds it.

    Raises:
        VisavisError: ``busy``.
        UsageError: The file cannot be made.
    """
    from filelock import FileLock, Timeout

    held = FileLock(lock, timeout=0)
    with disk_errors(lock.parent):
        try:
            held.acquire()
        except Timeout as error:
            raise busy from error
    try:
        yield
    finally:
        held.release()
