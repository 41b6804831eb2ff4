"""A gallery read as a whole, and moved to another space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import sqlalchemy as sql
from numpy.typing import NDArray

from visavis.errors import InputError, UsageError
from visavis.gallery.records import tables as t
from visavis.gallery.records.dialect import mark_erased
from visavis.gallery.records.rows import portions, refresh
from visavis.gallery.records.samples import sample_of, samples_query
from visavis.gallery.records.store import Store, Transaction
from visavis.gallery.records.templates import check_vectors, decode, encode
from visavis.gallery.sample import StoredSample
from visavis.types import Provenance, TemplateSpace


def stored(store: Store, after: int, page: int, *, crops: bool) -> Iterator[StoredSample]:
    """All samples beyond a number, in pages."""
    if page < 1:
        raise UsageError(f"a page has at least 1 sample; got {page}")
    after = t.number(after)
    while True:
        with store.read() as transaction:
            found = _stored(transaction, t.sample.c.id > after, page, crops=crops)
        yield from found
        if len(found) < page:
            return
        after = found[-1].sample.sample


def without_template(transaction: Transaction, fingerprint: str, after: int, limit: int) -> list[StoredSample]:
    """The first samples beyond a number that have no template of a space."""
    return _stored(transaction, sql.and_(t.sample.c.id > after, _lacks(fingerprint)), limit, crops=True)


def count_without_template(transaction: Transaction, fingerprint: str) -> int:
    """How many samples have no template of a space."""
    query = sql.select(sql.func.count()).select_from(t.sample).where(_lacks(fingerprint))
    return int(transaction.connection.execute(query).scalar_one())


def check_templates(
    space: TemplateSpace,
    samples: Sequence[int],
    vectors: NDArray[np.float32],
    norms: NDArray[np.floating],
    *,
    own: str,
) -> NDArray[np.float32]:
    """The templates as they should be.

    Raises:
        UsageError: They are not.
    """
    if space.fingerprint == own:
        raise UsageError(f"the gallery is in space {own} already; templates of another one are put beside it")
    if not len(samples) == len(vectors) == len(norms):
        raise UsageError(
            f"as many samples as vectors and norms are needed; got {len(samples)}, {len(vectors)} and {len(norms)}"
        )
    if not np.isfinite(np.asarray(norms)).all():
        raise UsageError("norms of templates are finite; leave failed faces out")
    return check_vectors(list(vectors), space.dimension)


def add_templates(
    transaction: Transaction,
    fingerprint: str,
    samples: Sequence[int],
    vectors: NDArray[np.float32],
    norms: NDArray[np.floating],
) -> int:
    """Put templates of another space down, for those of the samples that are there and have none."""
    wanted: set[int] = set()
    for portion in portions(int(number) for number in samples):
        query = sql.select(t.sample.c.id).where(t.sample.c.id.in_(portion), _lacks(fingerprint))
        wanted |= set(transaction.connection.execute(query).scalars())
    rows = [
        {"sample": int(number), "fingerprint": fingerprint, "norm": float(norm), "data": data}
        for number, norm, data in zip(samples, norms, encode(vectors, transaction.storage), strict=True)
        if int(number) in wanted
    ]
    if rows:
        transaction.connection.execute(t.template.insert(), rows)
    return len(rows)


def drop_templates(transaction: Transaction, fingerprint: str) -> int:
    """Erase the templates of another space than the gallery's."""
    if fingerprint == transaction.fingerprint:
        raise UsageError(f"{fingerprint} is the space of the gallery itself; its templates stay")
    return _drop(transaction, t.template.c.fingerprint == fingerprint)


def switch_space(transaction: Transaction, space: TemplateSpace, *, made_by: Provenance, keep_old: bool) -> None:
    """Make another space the gallery's own."""
    before = transaction.fingerprint
    if lacking := count_without_template(transaction, space.fingerprint):
        raise InputError(
            f"{lacking} samples have no template of space {space.fingerprint} yet; embed them before the gallery is "
            "moved to it",
            reason="gallery.unfinished",
        )
    connection = transaction.connection
    described = {"space": asdict(space), "fingerprint": space.fingerprint, "made_by": made_by.to_dict()}
    connection.execute(t.gallery.update().values(**described))
    moved = transaction.moved_to(space)
    connection.execute(t.person.update().where(t.person.c.changed.is_not(None)).values(changed=transaction.revision))
    several = sql.select(t.person.c.key).where(t.person.c.samples > 1)
    refresh(moved, connection.execute(several).scalars().all())
    # Of every other space: an abandoned move to a third one leaves templates of faces too.
    dropped = 0 if keep_old else _drop(transaction, t.template.c.fingerprint != space.fingerprint)
    transaction.log("migrated", before=before, after=space.fingerprint, model=made_by.model, dropped=dropped)


def _drop(transaction: Transaction, which: sql.ColumnElement[bool]) -> int:
    mark_erased(transaction.connection)
    result = transaction.connection.execute(t.template.delete().where(which))
    return int(result.rowcount)


def _lacks(fingerprint: str) -> sql.ColumnElement[bool]:
    other = t.template.alias("other")
    return ~sql.exists().where(other.c.sample == t.sample.c.id, other.c.fingerprint == fingerprint)


def _stored(transaction: Transaction, which: sql.ColumnElement[bool], limit: int, *, crops: bool) -> list[StoredSample]:
    columns: list[sql.ColumnElement[Any]] = [t.template.c.data, *([t.crop.c.png] if crops else [])]
    query = samples_query().add_columns(*columns).where(which).order_by(t.sample.c.id).limit(limit)
    rows = transaction.connection.execute(query).all()
    vectors = decode([row.data for row in rows], transaction.storage, transaction.dimension)
    return [
        StoredSample(sample_of(row), vector, row.png if crops else None)
        for row, vector in zip(rows, vectors, strict=True)
    ]
