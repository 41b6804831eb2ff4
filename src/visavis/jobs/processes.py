"""The local engine with processes."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections import Counter
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from visavis.errors import InternalError, VisavisError
from visavis.jobs._worker import POLL_SECONDS, heartbeat, new_owner, work_through
from visavis.jobs.chunk import Progress, Work
from visavis.jobs.ledger import JobLedger
from visavis.jobs.threads import checked_lease, checked_workers, report

_MOST_DEATHS = 3


class ProcessEngine:
    """Does chunks in processes of their own: for work that holds the interpreter, or that may crash it.

    A worker that dies is replaced and its chunk is done again. Workers end by themselves when this process dies.

    Args:
        workers: Number of processes; one a core when None.
        lease_seconds: How long a chunk stays with a worker that gives no sign of life.

    Raises:
        UsageError: A value below 1.
    """

    def __init__(self, *, workers: int | None = None, lease_seconds: float = 60.0) -> None:
        self.workers, self.lease_seconds = checked_workers(workers), checked_lease(lease_seconds)

    def run(self, ledger: JobLedger, work: Work, *, progress: Progress | None = None) -> None:
        """See `JobEngine.run`; ``work`` must be picklable.

        Raises:
            InternalError: One chunk ended three workers.
        """
        context = multiprocessing.get_context("spawn")
        deaths: Counter[int] = Counter()
        running: dict[str, tuple[BaseProcess, Connection]] = {}

        def begin() -> None:
            owner = new_owner()
            here, there = context.Pipe()
            process = context.Process(
                target=_main, args=(ledger.path, work, owner, self.lease_seconds, there), daemon=True
            )
            process.start()
            there.close()
            running[owner] = process, here

        try:
            for _ in range(self.workers):
                begin()
            while running:
                for owner, (process, pipe) in list(running.items()):
                    process.join(POLL_SECONDS / len(running))
                    if process.is_alive():
                        continue
                    del running[owner]
                    _raise_what_came(pipe)
                    if process.exitcode:
                        _count_deaths(ledger, owner, deaths)
                        begin()
                report(ledger, progress)
        finally:
            for _, pipe in running.values():
                pipe.close()
            for process, _ in running.values():
                process.join()


def _raise_what_came(pipe: Connection) -> None:
    """Raise the error that a worker told before it ended; one that ended well or was killed told none."""
    try:
        told = pipe.recv() if pipe.poll() else None
    except EOFError:
        told = None
    pipe.close()
    if told is not None:
        kind, message, reason = told
        raise kind(message, reason=reason)


def _count_deaths(ledger: JobLedger, owner: str, deaths: Counter[int]) -> None:
    held = ledger.held(owner)
    if not held:
        raise InternalError(
            "a worker ended before it began a chunk; what is called must be importable by its module's name, and a "
            "script that starts processes needs the guard if __name__ == '__main__'",
            reason="jobs.worker",
        )
    for number in held:
        deaths[number] += 1
        if deaths[number] >= _MOST_DEATHS:
            raise InternalError(
                f"chunk {number} of the job in {ledger.path} ended its worker {_MOST_DEATHS} times (a crash, or no "
                "memory left); try fewer workers",
                reason="jobs.worker",
            )
    ledger.release(owner)


def _main(path: Path, work: Work, owner: str, lease_seconds: float, pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    stop = threading.Event()
    threading.Thread(target=_watch, args=(pipe, stop), daemon=True).start()
    ledger = JobLedger(path)
    try:
        with heartbeat(ledger, [owner], lease_seconds=lease_seconds):
            work_through(ledger, work, owner=owner, stop=stop, lease_seconds=lease_seconds)
    except VisavisError as error:
        _tell(pipe, type(error), error.message, error.reason)
    except Exception as error:  # noqa: BLE001 - told to the parent, which raises it
        text = f"a worker failed: {type(error).__name__}: {error}"
        _tell(pipe, InternalError, text, InternalError.default_reason)
    finally:
        ledger.close()


def _watch(pipe: Connection, stop: threading.Event) -> None:
    """The parent closes its end of the pipe to stop the workers; the system does it when the parent dies."""
    with suppress(OSError):
        pipe.poll(None)
    stop.set()


def _tell(pipe: Connection, kind: type[VisavisError], message: str, reason: str) -> None:
    with suppress(OSError):  # the parent may be gone
        pipe.send((kind, message, reason))
