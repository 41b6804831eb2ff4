"""The feed of an index: what changed in a gallery since a revision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import sqlalchemy as sql

from visavis.errors import UsageError
from visavis.gallery.changes import Changes
from visavis.gallery.records import tables as t
from visavis.gallery.records.store import Store, Transaction
from visavis.gallery.records.templates import decode


def changes(store: Store, since: int, page: int) -> Iterator[Changes]:
    """What changed after a revision, in pages; see `visavis.gallery.gallery.Gallery.changes`.

    Each page is a transaction of its own, so that a slow reader holds nothing up. A person who changes meanwhile moves
    to the end, so nobody is left out; the last page says which revision all of them together are.
    """
    if page < 1:
        raise UsageError(f"a page has at least 1 person; got {page}")
    place, told, done = (t.number(since), -1), t.number(since), False
    while not done:
        with store.read() as transaction:
            found, place, done = _page(transaction, place, told, page)
            told = transaction.revision
        yield found


def _page(
    transaction: Transaction, place: tuple[int, int], told: int, page: int
) -> tuple[Changes, tuple[int, int], bool]:
    """The people after a place ``(revision, key)``, and all removals after the revision that was told."""
    rows = transaction.connection.execute(_after(place, page, transaction.fingerprint)).all()
    keys = np.array([row[0] for row in rows], np.int64)
    vectors = decode([row[2] or row[3] or b"" for row in rows], transaction.storage, transaction.dimension)
    gone = sql.select(t.removal.c.person).where(t.removal.c.revision > told).order_by(t.removal.c.person)
    removed = np.fromiter(transaction.connection.execute(gone).scalars(), np.int64)
    done = len(rows) < page
    if rows:
        place = (rows[-1][1], rows[-1][0])
    # A page may end between two people of one revision: that one is told only with the next page.
    revision = transaction.revision if done else place[0] - 1
    return Changes(keys, vectors, removed, revision), place, done


def _after(place: tuple[int, int], page: int, fingerprint: str) -> sql.Select[Any]:
    revision, key = place
    person = t.person.c
    later = sql.or_(person.changed > revision, sql.and_(person.changed == revision, person.key > key))
    if key < 0:
        later = person.changed > revision
    return (
        sql.select(person.key, person.changed, t.fused.c.data, t.template.c.data)
        .outerjoin(t.fused, t.fused.c.person == person.key)
        .outerjoin(t.template, sql.and_(t.template.c.sample == person.sole, t.template.c.fingerprint == fingerprint))
        .where(person.changed >= revision, later)
        .order_by(person.changed, person.key)
        .limit(page)
    )
