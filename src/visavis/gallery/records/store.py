"""Store: the database of a gallery, and its transactions."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import sqlalchemy as sql

from visavis.errors import InputError, SpaceError
from visavis.gallery.info import Storage
from visavis.gallery.records import forks
from visavis.gallery.records import tables as t
from visavis.gallery.records.dialect import WAIT_SECONDS, connect, is_wiped, options, wipe
from visavis.gallery.records.failures import damaged, in_plain_words, patiently
from visavis.types import TemplateSpace

_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Transaction:
    """What is read or written in one piece.

    Attributes:
        connection: Of the database.
        fingerprint: Of the gallery's space.
        dimension: Of its templates.
        storage: How templates are kept.
        keep_crops: Whether crops are kept.
        revision: Of the gallery; that of this write, where it is one.
        who: User to whom events are put down.
        now: When it began.
    """

    connection: sql.Connection
    fingerprint: str
    dimension: int
    storage: Storage
    keep_crops: bool
    revision: int
    who: str
    now: datetime

    def take(self, counter: sql.Column[int], count: int) -> range:
        """The next numbers of a counter of the gallery; nobody gets them again."""
        first = self.connection.execute(sql.select(counter)).scalar_one()
        self.connection.execute(t.gallery.update().values({counter: first + count}))
        return range(first, first + count)

    def moved_to(self, space: TemplateSpace) -> Transaction:
        """The same write, in the space that the gallery has from here on."""
        return replace(self, fingerprint=space.fingerprint, dimension=space.dimension)

    def log(self, what: str, **detail: object) -> None:
        """Put down an event."""
        row = {"when": self.now, "who": self.who, "what": what, "detail": detail}
        self.connection.execute(t.event.insert(), row)

    def correct(self, what: str, *, source: str, target: str | None, reason: str, sample: int | None = None) -> None:
        """Put down a correction."""
        row = {"what": what, "source": source, "target": target, "reason": reason, "sample": sample}
        self.connection.execute(t.correction.insert(), row | {"when": self.now, "who": self.who})


class Store:
    """The database of a gallery; safe to share between threads, and to carry into a forked process.

    Args:
        path: The file; it is there.
        who: User to whom events are put down.
        wait: Seconds for which a lock is waited for.
    """

    def __init__(self, path: Path, *, who: str, wait: float = WAIT_SECONDS) -> None:
        self.path = path
        self.who = who
        self.expected: str | None = None
        self.wait = wait
        self._inherited: list[sql.Engine] = []
        self.engine = connect(path, wait=wait)
        self._mine = threading.local()
        self._left: float | None = None
        forks.watch(self)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A transaction that sees one state of the gallery; inside a write of this thread it is a part of that."""
        if (outer := self._outer()) is not None:
            yield outer
            return
        with self._transaction(writes=False) as transaction:
            yield transaction
        self._wipe_later()

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that is committed at the end of the block, and is on the disk then.

        It begins with the gallery's revision: that row lets one writer in at a time, on any database. Inside a write
        of this thread it is a part of that.
        """
        if (outer := self._outer()) is not None:
            yield outer
            return
        with self._transaction(writes=True) as transaction:
            self._mine.write, self._mine.wipe = transaction, None
            try:
                yield transaction
            finally:
                self._mine.write = None
        if self._mine.wipe is not None:
            self.wipe(whole=self._mine.wipe)
        else:
            self._wipe_later(least=0)

    def wipe(self, *, whole: bool = False) -> None:
        """Write a small file anew without what was deleted, and empty the write-ahead log.

        Inside a write of this thread it is done at its end. While others read it cannot be done; later reads, writes
        and `close` try again.

        Args:
            whole: Also write a file anew that is not small.

        Raises:
            InputError: It could not be done, for example on a full disk.
        """
        if self._outer() is not None:
            self._mine.wipe = whole or bool(self._mine.wipe)
            return
        try:
            with in_plain_words(self.path), forks.no_fork():
                done = wipe(self.engine, whole=whole)
        except InputError as error:
            raise InputError(
                f"it is out of the gallery {self.path}, but its bytes are still in {self.path.name}-wal, which cannot "
                "be emptied; make room on the disk, then run visavis gallery purge",
                reason=error.reason,
            ) from error
        self._left = None if done else time.monotonic()

    @property
    def is_wiped(self) -> bool:
        """Whether nothing is left in the file, and in its log, of what was deleted."""
        with self.read() as transaction:
            return self._left is None and is_wiped(transaction.connection)

    def close(self) -> None:
        """Close all connections that nobody uses."""
        self._wipe_later(least=0)
        self.let_go()

    def let_go(self) -> None:
        """Close all connections that nobody uses, and do nothing else."""
        self.engine.dispose()

    def _wipe_later(self, *, least: float = _RETRY_SECONDS) -> None:
        """Try again to wipe what could not be wiped, when so many seconds went by."""
        if self._left is None or time.monotonic() - self._left < least:
            return
        self._left = time.monotonic()
        with suppress(InputError), in_plain_words(self.path), forks.no_fork():
            if wipe(self.engine, whole=False, patient=False):
                self._left = None

    def start_anew(self) -> None:
        """In a forked process: a connection of the parent is neither used nor closed here, so it is kept for good."""
        self._inherited.append(self.engine)
        self.engine = connect(self.path, wait=self.wait)
        self._mine = threading.local()

    def _outer(self) -> Transaction | None:
        """The write that this thread is in."""
        return getattr(self._mine, "write", None)

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Transaction]:
        with in_plain_words(self.path), forks.no_fork():
            connection = patiently(lambda: self._begun(writes=writes), seconds=self.wait)
            with connection, self._committed(connection):
                yield self._state(connection)

    @staticmethod
    @contextmanager
    def _committed(connection: sql.Connection) -> Iterator[None]:
        try:
            yield
        except BaseException:
            connection.rollback()
            raise
        connection.commit()

    def _begun(self, *, writes: bool) -> sql.Connection:
        """A connection whose transaction has begun."""
        connection = self.engine.connect().execution_options(**options(self.engine, writes=writes))
        try:
            if writes:
                connection.execute(t.gallery.update().values(revision=t.gallery.c.revision + 1))
            else:
                connection.execute(sql.select(t.gallery.c.id))
        except BaseException:
            connection.close()
            raise
        return connection

    def _state(self, connection: sql.Connection) -> Transaction:
        rows = connection.execute(sql.select(t.gallery)).all()
        if len(rows) != 1 or "dimension" not in rows[0].space or rows[0].storage not in get_args(Storage):
            raise damaged(self.path, "the row that describes it is missing, there twice, or of no kind that is known")
        row = rows[0]
        if self.expected is not None and row.fingerprint != self.expected:
            raise SpaceError(
                f"the gallery {self.path} is in space {row.fingerprint}, not in {self.expected} as when it was opened: "
                "it was migrated meanwhile; open it again with the model of its space",
                reason="gallery.space",
            )
        return Transaction(
            connection,
            row.fingerprint,
            row.space["dimension"],
            row.storage,
            row.keep_crops,
            row.revision,
            self.who,
            datetime.now(UTC),
        )
