"""Events and corrections, read in pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sql

from visavis.gallery.event import Correction, Event
from visavis.gallery.records import tables as t
from visavis.gallery.records.store import Store

_PAGE = 1000


def events(store: Store, since: int) -> Iterator[Event]:
    """Events after a number, oldest first."""
    for row in _after(store, t.event, since):
        yield Event(row.id, row.when, row.who, row.what, row.detail)


def corrections(store: Store, since: int) -> Iterator[Correction]:
    """Corrections after a number, oldest first."""
    for row in _after(store, t.correction, since):
        yield Correction(row.id, row.when, row.who, row.what, row.sample, row.source, row.target, row.reason)


def _after(store: Store, table: sql.Table, since: int) -> Iterator[Any]:
    since = t.number(since)
    while True:
        query = sql.select(table).where(table.c.id > since).order_by(table.c.id).limit(_PAGE)
        with store.read() as transaction:
            rows = transaction.connection.execute(query).all()
        yield from rows
        if len(rows) < _PAGE:
            return
        since = rows[-1].id
