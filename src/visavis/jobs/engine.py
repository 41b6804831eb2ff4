"""What runs the chunks of a job."""

from __future__ import annotations

from typing import Protocol

from visavis.jobs.chunk import Progress, Work
from visavis.jobs.ledger import JobLedger


class JobEngine(Protocol):
    """Workers on one machine or many."""

    def run(self, ledger: JobLedger, work: Work, *, progress: Progress | None = None) -> None:
        """Do all chunks of a job that has been started and that are not done.

        Args:
            ledger: Of the job.
            work: Does one chunk; called by several workers at once.
            progress: Called from the calling thread.

        Raises:
            KeyboardInterrupt: Ctrl-C; chunks that were being worked on are finished and counted first.
            VisavisError: What ``work`` raised; other chunks are finished and counted first.
        """
        ...
