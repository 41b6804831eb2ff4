"""One worker: leases, works, commits; and the heart that keeps leases alive."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from visavis.errors import InputError
from visavis.jobs.chunk import Work
from visavis.jobs.ledger import JobLedger

POLL_SECONDS = 0.1
_BEATS = 3


def new_owner() -> str:
    """A name for a worker that no other has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def work_through(ledger: JobLedger, work: Work, *, owner: str, stop: threading.Event, lease_seconds: float) -> None:
    """Do chunks until none is left or the flag is set; waits for those that others have leased.

    Raises:
        Exception: What ``work`` raised; the chunk is free again then.
    """
    while not stop.is_set():
        number = ledger.lease(owner, seconds=lease_seconds)
        if number is None:
            done, total = ledger.progress()
            if done == total:
                return
            stop.wait(POLL_SECONDS)
            continue
        try:
            outcome = work(number)
            ledger.commit(number, outcome)
        except BaseException:
            ledger.release(owner)
            raise


@contextmanager
def heartbeat(ledger: JobLedger, owners: Sequence[str], *, lease_seconds: float) -> Iterator[None]:
    """Renews the leases of the owners from a thread of its own for as long as the block lasts."""
    end = threading.Event()

    def beat() -> None:
        while not end.wait(lease_seconds / _BEATS):
            with suppress(InputError):  # a lease that runs out costs time, never a result
                ledger.renew(owners, seconds=lease_seconds)

    thread = threading.Thread(target=beat, name="visavis-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
