"""All that is special to a kind of database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sql

WAIT_SECONDS = 30.0
"""How long a write waits for another process."""

_WIPE_MILLISECONDS = 500

WRITES = "visavis_writes"
"""Execution option of connections whose transactions write."""


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


def wipe(engine: sql.Engine) -> None:
    """Empty the write-ahead log, which still holds what was deleted; left for later while others read."""
    if engine.dialect.name != "sqlite":
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        before = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
        connection.exec_driver_sql(f"PRAGMA busy_timeout={_WIPE_MILLISECONDS}")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql(f"PRAGMA busy_timeout={before}")


def _escaped(path: Path) -> str:
    from urllib.parse import quote

    return quote(str(path.absolute()))
