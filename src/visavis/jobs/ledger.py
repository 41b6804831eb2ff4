"""The ledger of a job: which chunks are done, who works on which, what failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from visavis.errors import UsageError
from visavis.jobs._database import connect, tables, transaction
from visavis.jobs.chunk import ChunkResult, RowFailure

_FREE = 0.0


class JobLedger:
    """A job that can be killed at any moment and goes on where it was; safe to share between threads.

    A job has a kind, a fingerprint of all that decides its outcome, and a number of chunks. A worker leases a chunk for
    some seconds, renews the lease while it works, and commits. A lease that ran out (its worker was killed) goes to the
    next who asks. A chunk counts once: whoever commits second is told so and changes nothing. Processes share a
    ledger by opening the same file; it must lie on a local disk.

    Args:
        path: The SQLite file; it is made when it is not there.
        clock: Seconds since the epoch.

    Raises:
        InputError: ``jobs.permission``, ``jobs.locked``, ``jobs.full`` or ``jobs.damaged``.
    """

    def __init__(self, path: str | Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path = Path(path)
        self._clock = clock
        self._engine = connect(self.path)

    def start(self, *, kind: str, fingerprint: str, chunks: int) -> None:
        """Begin the job, or go on with it.

        Args:
            kind: What is done, for example ``pack``.
            fingerprint: Hash of the inputs and options; a job is never resumed with others.
            chunks: Number of chunks, at least 1.

        Raises:
            UsageError: Another job is in this ledger, or no chunks.
        """
        import sqlalchemy as sql

        if chunks < 1:
            raise UsageError(f"a job has at least 1 chunk; got {chunks}")
        job, chunk, _ = tables()
        wanted = (kind, fingerprint, chunks)
        with transaction(self._engine, self.path) as connection:
            found = connection.execute(sql.select(job.c.kind, job.c.fingerprint, job.c.chunks)).first()
            if found is None:
                connection.execute(job.insert().values(kind=kind, fingerprint=fingerprint, chunks=chunks))
                rows = [{"number": number, "done": False, "expires": _FREE} for number in range(chunks)]
                connection.execute(chunk.insert(), rows)
            elif tuple(found) != wanted:
                raise UsageError(
                    f"{self.path} holds a {found.kind} job of {found.chunks} chunks with other inputs or options "
                    f"(fingerprint {found.fingerprint[:12]}, here {kind} with {chunks} chunks and {fingerprint[:12]}); "
                    "give the same ones to go on with it, or remove its folder to start again"
                )

    def lease(self, owner: str, *, seconds: float) -> int | None:
        """The first chunk that is neither done nor leased, leased to the owner; None when there is none."""
        import sqlalchemy as sql

        chunk, now = tables().chunk, self._clock()
        free = sql.select(chunk.c.number).where(chunk.c.done.is_(False), chunk.c.expires <= now)
        with transaction(self._engine, self.path) as connection:
            number = connection.execute(free.order_by(chunk.c.number).limit(1)).scalar()
            if number is None:
                return None
            connection.execute(
                chunk.update().where(chunk.c.number == number).values(owner=owner, expires=now + seconds)
            )
            return int(number)

    def renew(self, owners: Iterable[str], *, seconds: float) -> None:
        """Prolong all leases of these owners to so many seconds from this moment."""
        chunk = tables().chunk
        mine = chunk.update().where(chunk.c.done.is_(False), chunk.c.owner.in_(list(owners)), chunk.c.expires > _FREE)
        with transaction(self._engine, self.path) as connection:
            connection.execute(mine.values(expires=self._clock() + seconds))

    def release(self, owner: str | None = None) -> None:
        """Give up all leases of an owner; of everybody when None, where it is known that nobody works any more."""
        chunk = tables().chunk
        held = chunk.update().where(chunk.c.done.is_(False), chunk.c.expires > _FREE)
        with transaction(self._engine, self.path) as connection:
            connection.execute((held if owner is None else held.where(chunk.c.owner == owner)).values(expires=_FREE))

    def held(self, owner: str) -> tuple[int, ...]:
        """The chunks that an owner has leased and not committed."""
        import sqlalchemy as sql

        chunk = tables().chunk
        held = sql.select(chunk.c.number).where(
            chunk.c.done.is_(False), chunk.c.owner == owner, chunk.c.expires > _FREE
        )
        with transaction(self._engine, self.path) as connection:
            return tuple(int(number) for number in connection.execute(held.order_by(chunk.c.number)).scalars())

    def commit(self, number: int, outcome: ChunkResult) -> bool:
        """Count a chunk as done, with its result and failures, all or nothing.

        Returns:
            False when it was done before; nothing is changed then.

        Raises:
            UsageError: There is no such chunk.
        """
        import sqlalchemy as sql

        _, chunk, failure = tables()
        with transaction(self._engine, self.path) as connection:
            done = connection.execute(sql.select(chunk.c.done).where(chunk.c.number == number)).scalar()
            if done is None:
                raise UsageError(f"the job in {self.path} has no chunk {number}")
            if done:
                return False
            rows = [
                {"chunk": number, "key": row.key, "reason": row.reason, "message": row.message}
                for row in outcome.failures
            ]
            if rows:
                connection.execute(failure.insert(), rows)
            connection.execute(
                chunk.update().where(chunk.c.number == number).values(done=True, result=dict(outcome.result))
            )
            return True

    def progress(self) -> tuple[int, int]:
        """The number of chunks that are done, and of all."""
        import sqlalchemy as sql

        chunk = tables().chunk
        counts = sql.select(sql.func.count(), sql.func.count().filter(chunk.c.done.is_(True))).select_from(chunk)
        with transaction(self._engine, self.path) as connection:
            total, done = connection.execute(counts).one()
            return int(done), int(total)

    def results(self) -> list[tuple[int, dict[str, Any]]]:
        """Number and result of each chunk that is done, in order."""
        import sqlalchemy as sql

        chunk = tables().chunk
        done = sql.select(chunk.c.number, chunk.c.result).where(chunk.c.done.is_(True)).order_by(chunk.c.number)
        with transaction(self._engine, self.path) as connection:
            return [(int(number), result) for number, result in connection.execute(done)]

    def failures(self) -> list[RowFailure]:
        """The rows that failed, in the order of the chunks."""
        import sqlalchemy as sql

        failure = tables().failure
        listed = sql.select(failure.c.key, failure.c.reason, failure.c.message)
        with transaction(self._engine, self.path) as connection:
            rows = connection.execute(listed.order_by(failure.c.chunk, failure.c.number))
            return [RowFailure(row.key, row.reason, row.message) for row in rows]

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()
