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

    A worker that dies is replaced and its chunk is done again. Workers end by themselves when this process dies. No
    command of visavis uses it: packing, embedding and enrolling spend their time in networks and decoders, which
    threads run side by side as fast as processes do.

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
            InternalError: One chunk ended three workers; or three ended one after the other without a chunk in hand
                and without a chunk done in between; or one could not start.
        """
        context = multiprocessing.get_context("spawn")
        deaths: Counter[tuple[str, int]] = Counter()
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
                    alive = process.is_alive()  # asked first: what a dead worker told is in the pipe by then
                    _raise_what_came(pipe)
                    if alive:
                        continue
                    del running[owner]
                    pipe.close()
                    if process.exitcode or ledger.held(owner):
                        _count_death(ledger, owner, process.exitcode or 0, deaths)
                        begin()
                report(ledger, progress)
        finally:
            for _, pipe in running.values():
                pipe.close()
            for process, _ in running.values():
                process.join()


def _raise_what_came(pipe: Connection) -> None:
    """Raise the error that a worker told; it may be longer than the pipe, and the worker ends when it was read."""
    try:
        told = pipe.recv() if pipe.poll() else None
    except (EOFError, OSError):  # it ended, perhaps in the middle of a sentence
        told = None
    if told is not None:
        kind, message, reason = told
        raise kind(message, reason=reason)


def _count_death(ledger: JobLedger, owner: str, code: int, deaths: Counter[tuple[str, int]]) -> None:
    """Note that a worker died and free its chunk; a death too many ends the job."""
    held = ledger.held(owner)
    if not held and code > 0:  # by an error of its own, outside of any chunk; a signal has a code below 0
        raise InternalError(
            "a worker ended before it began a chunk; what is called must be importable by its module's name, and a "
            "script that starts processes needs the guard if __name__ == '__main__'",
            reason="jobs.worker",
        )
    done, _ = ledger.progress()
    causes = [("chunk", number) for number in held] or [("between", done)]
    deaths.update(causes)
    for kind, number in causes:
        if deaths[kind, number] >= _MOST_DEATHS:
            what = f"chunk {number} of the job in {ledger.path} ended its worker"
            if kind == "between":
                what = f"workers of the job in {ledger.path} that had no chunk in hand were ended"
            raise InternalError(
                f"{what} {_MOST_DEATHS} times (a crash, or no memory left); try fewer workers", reason="jobs.worker"
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
    except BaseException as error:  # noqa: BLE001 - told to the parent, which raises it
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
