"""The tables of a job in SQLite, and errors of the database in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from visavis.errors import InputError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Table

_WAIT_SECONDS = 30.0
_WORDS = (
    (
        "locked",
        "jobs.locked",
        f"is in use by another program for more than {_WAIT_SECONDS:g} s; try again when it ended",
    ),
    ("full", "jobs.full", "cannot grow, the disk is full; make room and run it again: it goes on where it stopped"),
    ("i/o error", "jobs.full", "cannot be written (disk error or full disk); check the disk and run it again"),
    ("readonly", "jobs.permission", "may not be written; check who may write the file and its folder"),
    ("unable to open", "jobs.permission", "cannot be opened; check that its folder exists and may be written"),
)


class Tables(NamedTuple):
    """The tables: one row in ``job``, one a chunk in ``chunk``, one a failed row in ``failure``."""

    job: Table
    chunk: Table
    failure: Table


@cache
def tables() -> Tables:
    """The tables, described once."""
    import sqlalchemy as sql

    all_tables = sql.MetaData()
    job = sql.Table(
        "job",
        all_tables,
        sql.Column("kind", sql.Text, primary_key=True),
        sql.Column("fingerprint", sql.Text, nullable=False),
        sql.Column("chunks", sql.Integer, nullable=False),
    )
    chunk = sql.Table(
        "chunk",
        all_tables,
        sql.Column("number", sql.Integer, primary_key=True, autoincrement=False),
        sql.Column("done", sql.Boolean, nullable=False),
        sql.Column("owner", sql.Text),
        sql.Column("expires", sql.Float, nullable=False),
        sql.Column("result", sql.JSON),
    )
    sql.Index("open_chunks", chunk.c.number, sqlite_where=chunk.c.done.is_(False))
    failure = sql.Table(
        "failure",
        all_tables,
        sql.Column("number", sql.Integer, primary_key=True),
        sql.Column("chunk", sql.ForeignKey(chunk.c.number), nullable=False, index=True),
        sql.Column("key", sql.Text, nullable=False),
        sql.Column("reason", sql.Text, nullable=False),
        sql.Column("message", sql.Text, nullable=False),
    )
    return Tables(job, chunk, failure)


def connect(path: Path) -> Engine:
    """The database at a path, made when it is not there; every transaction takes the write lock at once.

    Raises:
        InputError: It cannot be opened, or is no database.
    """
    import sqlalchemy as sql

    engine = sql.create_engine(sql.URL.create("sqlite", database=str(path)), connect_args={"timeout": _WAIT_SECONDS})

    @sql.event.listens_for(engine, "connect")
    def _settings(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin below, not where the driver thinks fit
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    @sql.event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with transaction(engine, path) as connection:
        tables().job.metadata.create_all(connection)
    return engine


@contextmanager
def transaction(engine: Engine, path: Path) -> Iterator[Connection]:
    """A transaction that is committed at the end of the block.

    Raises:
        InputError: ``jobs.locked``, ``jobs.full``, ``jobs.permission`` or ``jobs.damaged``.
    """
    from sqlalchemy.exc import DatabaseError

    try:
        with engine.begin() as connection:
            yield connection
    except DatabaseError as error:
        raise _plain(path, str(error.orig)) from error


def _plain(path: Path, words: str) -> InputError:
    for part, reason, text in _WORDS:
        if part in words.lower():
            return InputError(f"the job's ledger {path} {text}", reason=reason)
    return InputError(
        f"the job's ledger {path} cannot be used ({words}); remove the job's folder and start again",
        reason="jobs.damaged",
    )
