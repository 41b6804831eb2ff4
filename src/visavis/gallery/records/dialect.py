"""All that is special to a kind of database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sql

WAIT_SECONDS = 30.0
"""How long a write waits for another process."""

_WIPE_MILLISECONDS = 500

SMALL_BYTES = 16 << 20
"""Up to this size a file is written anew after each erasure; beyond, when it is asked for."""

WRITES = "visavis_writes"
"""Execution option of connections: whether their transactions write; None where each statement is on its own."""


def connect(path: Path, *, wait: float = WAIT_SECONDS) -> sql.Engine:
    """An engine over a SQLite file that is there.

    Args:
        path: The file.
        wait: Seconds for which a lock is waited for.
    """
    location = f"file:{_escaped(path)}"
    engine = sql.create_engine(
        sql.URL.create("sqlite", database=location, query={"mode": "rw", "uri": "true"}),
        connect_args={"timeout": wait},
        max_overflow=-1,
    )
    adapt(engine)
    return engine


def adapt(engine: sql.Engine) -> None:
    """Settings of connections: write-ahead log, what is acknowledged is on the disk, what is deleted is erased.

    A transaction that writes takes the lock as it begins, so that it never has to be given up half-way.
    """
    if engine.dialect.name != "sqlite":
        return

    @sql.event.listens_for(engine, "connect")
    def _settings(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin below, not where the driver thinks fit
        for pragma in ("foreign_keys=ON", "secure_delete=ON", "synchronous=FULL", "journal_mode=WAL"):
            connection.execute(f"PRAGMA {pragma}")

    @sql.event.listens_for(engine, "begin")
    def _begin(connection: sql.Connection) -> None:
        writes = connection.get_execution_options().get(WRITES, False)
        if writes is not None:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def options(engine: sql.Engine, *, writes: bool) -> dict[str, Any]:
    """Execution options of a transaction: a read sees one state throughout, as it always does in SQLite."""
    if writes or engine.dialect.name == "sqlite":
        return {WRITES: writes}
    return {WRITES: writes, "isolation_level": "REPEATABLE READ"}


def damage(connection: sql.Connection) -> list[str]:
    """What the database itself finds wrong with its file; other kinds of database see to theirs."""
    if connection.dialect.name != "sqlite":
        return []
    found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(20)") if row[0] != "ok"]
    for table, row, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(20):
        found.append(f"row {row} of {table} belongs to a row of {parent} that is not there")
    return found


def mark_erased(connection: sql.Connection) -> None:
    """Note in the file that something was deleted of which copies may be left in it.

    SQLite zeroes what is deleted, but not what it left behind when it moved rows between pages before. The note is the
    file's free number (``user_version``): odd after a deletion, even when all was wiped, and never the same again.
    """
    if connection.dialect.name == "sqlite":
        count = _deletions(connection)
        connection.exec_driver_sql(f"PRAGMA user_version={count + 1 + count % 2}")


def is_wiped(connection: sql.Connection) -> bool:
    """Whether nothing is left in the file of what was deleted; other kinds of database see to theirs."""
    return connection.dialect.name != "sqlite" or _deletions(connection) % 2 == 0


def wipe(engine: sql.Engine, *, whole: bool, patient: bool = True) -> bool:
    """Write the file anew without what was deleted, and empty the write-ahead log.

    Args:
        engine: Of the database.
        whole: Also write a file anew that is not small.
        patient: Wait for others a moment.

    Returns:
        Whether it was done; others who read or write may be in the way.
    """
    if engine.dialect.name != "sqlite":
        return True
    with engine.connect().execution_options(**{WRITES: None}) as connection:
        before = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
        connection.exec_driver_sql(f"PRAGMA busy_timeout={_WIPE_MILLISECONDS if patient else 0}")
        try:
            return _wiped(connection, whole)
        except sql.exc.OperationalError as error:
            if "locked" in str(error.orig):
                return False
            raise
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={before}")


def _wiped(connection: sql.Connection, whole: bool) -> bool:
    count = _deletions(connection)
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    anew = count % 2 and (whole or pages * connection.exec_driver_sql("PRAGMA page_size").scalar_one() <= SMALL_BYTES)
    if anew:
        connection.exec_driver_sql("VACUUM")
    if connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]:
        return False
    if anew:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        if _deletions(connection) == count:  # else somebody deleted more meanwhile
            connection.exec_driver_sql(f"PRAGMA user_version={count + 1}")
        connection.exec_driver_sql("COMMIT")
    return True


def _deletions(connection: sql.Connection) -> int:
    return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())


def _escaped(path: Path) -> str:
    from urllib.parse import quote

    return quote(str(path.absolute()))
