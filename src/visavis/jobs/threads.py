"""The local engine with threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

from visavis.errors import UsageError
from visavis.jobs._worker import POLL_SECONDS, heartbeat, new_owner, work_through
from visavis.jobs.chunk import Progress, Work
from visavis.jobs.ledger import JobLedger
from visavis.runtime.workers import mark_worker


class ThreadEngine:
    """Does chunks on threads of this process: for work that lets go of the interpreter, as networks and decoders do.

    Args:
        workers: Number of threads; one a core when None.
        lease_seconds: How long a chunk stays with a worker that gives no sign of life.

    Raises:
        UsageError: A value below 1.
    """

    def __init__(self, *, workers: int | None = None, lease_seconds: float = 60.0) -> None:
        self.workers, self.lease_seconds = checked_workers(workers), checked_lease(lease_seconds)

    def run(self, ledger: JobLedger, work: Work, *, progress: Progress | None = None) -> None:
        """See `JobEngine.run`."""
        stop = threading.Event()
        errors: list[BaseException] = []
        owners = [new_owner() for _ in range(self.workers)]

        def one(owner: str) -> None:
            mark_worker()
            try:
                work_through(ledger, work, owner=owner, stop=stop, lease_seconds=self.lease_seconds)
            except BaseException as error:  # noqa: BLE001 - raised below, on the calling thread
                errors.append(error)
                stop.set()

        with (
            heartbeat(ledger, owners, lease_seconds=self.lease_seconds),
            ThreadPoolExecutor(self.workers, "visavis-job") as pool,
        ):
            futures = [pool.submit(one, owner) for owner in owners]
            # Futures are waited for, never threads: a `Thread.join` that Ctrl-C interrupts takes the thread for ended
            # (CPython 3.11, bpo-45274), and a network still running while Python ends aborts the process.
            try:
                while wait(futures, POLL_SECONDS).not_done:
                    report(ledger, progress)
            finally:
                stop.set()
                wait(futures)
        if errors:
            raise errors[0]
        report(ledger, progress)


def report(ledger: JobLedger, progress: Callable[[int, int], None] | None) -> None:
    """Tell how far the job is."""
    if progress is not None:
        progress(*ledger.progress())


def checked_workers(workers: int | None) -> int:
    """A number of workers; that of the cores this process may use when None.

    Raises:
        UsageError: Below 1.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = count if workers is None else workers
    if found < 1:
        raise UsageError(f"workers is 1 or more; got {workers}")
    return found


def checked_lease(seconds: float) -> float:
    """The length of a lease.

    Raises:
        UsageError: Not above 0.
    """
    if not 0 < seconds < float("inf"):
        raise UsageError(f"a lease lasts more than 0 seconds; got {seconds}")
    return seconds
