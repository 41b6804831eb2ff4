"""The last write of a gallery, by which two histories are told apart that give the same numbers."""

from __future__ import annotations

import sqlalchemy as sql

from visavis.gallery.records import tables as t
from visavis.gallery.records.store import Store


def last_write(store: Store) -> str:
    """Number and moment of the last event: a copy that was put back and written to gives another moment."""
    return _written(store, t.event.c.id == sql.select(sql.func.max(t.event.c.id)).scalar_subquery())


def has_write(store: Store, write: str) -> bool:
    """Whether the history holds an event of that number and moment."""
    number = write.partition(" ")[0]
    return number.isascii() and number.isdigit() and _written(store, t.event.c.id == t.number(int(number))) == write


def _written(store: Store, which: sql.ColumnElement[bool]) -> str:
    with store.read() as transaction:
        row = transaction.connection.execute(sql.select(t.event.c.id, t.event.c.when).where(which)).one_or_none()
    return "" if row is None else f"{row.id} {row.when.isoformat()}"
