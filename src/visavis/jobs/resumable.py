"""A job in a folder of its own: it goes on when it is the same, and starts again when it is another."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from visavis.errors import InputError, UsageError
from visavis.io.atomic import disk_errors
from visavis.jobs.alone import alone
from visavis.jobs.ledger import JobLedger

_LEDGER = "jobs.sqlite"
_LOCK = "lock"


@contextmanager
def resumable(
    place: Path, *, kind: str, fingerprint: str, chunks: int, gone_with: tuple[type[Exception], ...] = ()
) -> Iterator[JobLedger]:
    """The ledger of a job whose files lie in one folder, for a job that anybody may start again at any time.

    The folder is removed when the block ends well. When it does not, it is left, and the next call with the same
    arguments goes on. A call with another fingerprint begins with an empty folder.

    Args:
        place: The folder; it is made, with those above it.
        kind: What is done, for example ``embed``.
        fingerprint: Hash of the inputs and options.
        chunks: Number of chunks, at least 1.
        gone_with: Errors after which there is nothing to go on with: the folder is removed as well.

    Raises:
        InputError: ``jobs.locked``: another process is at it; or an error of the ledger.
        UsageError: The folder cannot be written.
    """
    with disk_errors(place):
        place.mkdir(parents=True, exist_ok=True)
    busy = InputError(
        f"another process is at the job in {place}; wait until it ended, then run this again", reason="jobs.locked"
    )
    with alone(place / _LOCK, busy):
        ledger = _started(place, kind, fingerprint, chunks)
        try:
            yield ledger
        except gone_with:
            _remove(place, ledger)
            raise
        except BaseException:
            ledger.close()
            raise
        _remove(place, ledger)


def _started(place: Path, kind: str, fingerprint: str, chunks: int) -> JobLedger:
    ledger = JobLedger(place / _LEDGER)
    try:
        ledger.start(kind=kind, fingerprint=fingerprint, chunks=chunks)
    except UsageError:  # another job
        ledger.close()
        _clear(place)
        ledger = JobLedger(place / _LEDGER)
        ledger.start(kind=kind, fingerprint=fingerprint, chunks=chunks)
    ledger.release()  # whoever held a chunk is dead: this process has the lock
    return ledger


def _clear(place: Path) -> None:
    """Remove all but the lock, the ledger first: what is left after a kill in between is taken for no job at all."""
    for path in (place / _LEDGER, *(path for path in place.iterdir() if path.name not in (_LOCK, _LEDGER))):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _remove(place: Path, ledger: JobLedger) -> None:
    ledger.close()
    _clear(place)
    shutil.rmtree(place, ignore_errors=True)
