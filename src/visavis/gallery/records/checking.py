"""A gallery looked over: what contradicts itself, and what its keeper should know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import sqlalchemy as sql

from visavis.gallery.records import checking_values as values
from visavis.gallery.records import tables as t
from visavis.gallery.records.dialect import damage
from visavis.gallery.records.rows import PORTION, by_samples, fuse, samples_of
from visavis.gallery.records.store import Transaction
from visavis.gallery.records.templates import byte_length, decode

WARNING = "warning: "
"""How a line begins that is about people and pictures, not about the file."""

_SHOWN = 10
_UNIT = 1e-3
_FUSED = 1e-6


def problems(transaction: Transaction) -> list[str]:
    """What is wrong with a gallery, in plain words; warnings last."""
    found = damage(transaction.connection)
    if found:
        return [f"the database is damaged: {line}" for line in found]
    found = list(values.schema_problems(transaction))
    if found:
        return found
    values.read_history(transaction)
    return [
        *_values(transaction),
        *_orphans(transaction),
        *_templates(transaction),
        *_rows(transaction),
        *_counters(transaction),
    ] + [f"{WARNING}{line}" for line in (*_twice(transaction), *_unusable(transaction))]


def _values(transaction: Transaction) -> Iterator[str]:
    """Values that no gallery writes."""
    for text, people in values.wrong_people(transaction).items():
        yield from _some(people, text)
    yield from _some(values.wrong_samples(transaction), "samples with numbers or a sha256 that no gallery writes")
    yield from _some(values.uneven_spaces(transaction), "spaces whose templates are of several lengths")


def _some(rows: Iterable[Any], text: str) -> list[str]:
    """A line that tells how many there are and names the first."""
    listed = [str(row) for row in rows]
    if not listed:
        return []
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return [f"{text}: {', '.join(listed[:_SHOWN])}{more}"]


def _orphans(transaction: Transaction) -> Iterator[str]:
    """Rows whose owner is gone; databases see to that, unless something wrote around them."""
    for child, column, parent in (
        (t.sample, t.sample.c.person, t.person.c.key),
        (t.attribute, t.attribute.c.person, t.person.c.key),
        (t.fused, t.fused.c.person, t.person.c.key),
        (t.template, t.template.c.sample, t.sample.c.id),
        (t.crop, t.crop.c.sample, t.sample.c.id),
    ):
        alone = sql.select(column).outerjoin(parent.table, parent == column).where(parent.is_(None)).distinct()
        found = transaction.connection.execute(alone).scalars()
        yield from _some(found, f"rows of {child.name} whose {column.name} is gone")
    without = (
        sql.select(t.sample.c.id)
        .outerjoin(
            t.template,
            sql.and_(t.template.c.sample == t.sample.c.id, t.template.c.fingerprint == transaction.fingerprint),
        )
        .where(t.template.c.sample.is_(None))
    )
    yield from _some(transaction.connection.execute(without).scalars(), "samples without a template")


def _templates(transaction: Transaction) -> Iterator[str]:
    """Templates of a wrong length or norm."""
    width = byte_length(transaction.storage, transaction.dimension)
    short, bent = [], []
    query = sql.select(t.template.c.sample, t.template.c.data).where(
        t.template.c.fingerprint == transaction.fingerprint
    )
    for rows in transaction.connection.execute(query).partitions(PORTION):
        short += [row.sample for row in rows if len(row.data) != width]
        whole = [row for row in rows if len(row.data) == width]
        lengths = np.linalg.norm(
            decode([row.data for row in whole], transaction.storage, transaction.dimension), axis=1
        )
        bent += [row.sample for row, length in zip(whole, lengths, strict=True) if not abs(length - 1) < _UNIT]
    yield from _some(short, f"templates of another length than {width} bytes, of samples")
    yield from _some(bent, "templates that are not of unit norm, of samples")


def _rows(transaction: Transaction) -> Iterator[str]:
    """What is kept of each person beside the samples, against the samples."""
    counts, pooled, told = [], [], []
    columns = (t.person.c.key, t.person.c.person, t.person.c.samples, t.person.c.sole, t.person.c.changed)
    query = sql.select(*columns, t.person.c.consent_withdrawn, t.fused.c.data).outerjoin(
        t.fused, t.fused.c.person == t.person.c.key
    )
    for people in transaction.connection.execute(query.order_by(t.person.c.key)).partitions(PORTION):
        for row, own in _with_samples(transaction, people):
            sole = own[0].id if len(own) == 1 else None
            counts += [row.person] if (row.samples, row.sole) != (len(own), sole) else []
            pooled += [row.person] if not _fused_fits(transaction, row.data, own) else []
            told += [row.person] if (row.changed is not None) != (bool(own) and row.consent_withdrawn is None) else []
    yield from _some(counts, "people whose number of samples is not what it should be")
    yield from _some(pooled, "people whose pooled template is not the mean of their samples")
    yield from _some(told, "people who are in the index and should not be, or the other way round")


def _with_samples(transaction: Transaction, people: Iterable[Any]) -> Iterator[tuple[Any, list[Any]]]:
    """Each person with its samples, as many at a time as fit into memory."""
    by_key = {row.key: row for row in people}
    for keys in by_samples(transaction, list(by_key)):
        samples = _by_person(transaction, keys)
        yield from ((by_key[key], samples.get(key, [])) for key in keys)


def _by_person(transaction: Transaction, keys: list[int]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for row in transaction.connection.execute(samples_of(keys, transaction.fingerprint)):
        found.setdefault(row.person, []).append(row)
    return found


def _fused_fits(transaction: Transaction, data: bytes | None, own: list[Any]) -> bool:
    if len(own) < 2 or data is None:
        return data is None and len(own) < 2
    stored = decode([data], transaction.storage, transaction.dimension)
    vectors = decode([row.data for row in own], transaction.storage, transaction.dimension)
    quality = np.array([np.nan if row.quality is None else row.quality for row in own])
    mean = fuse(vectors, quality, np.zeros(1, np.int64))
    # A code may lie one step beside, of 127 to the largest coordinate.
    tolerance = _FUSED if transaction.storage == "float32" else 1.5 * float(np.abs(mean).max()) / 127
    return bool(np.abs(stored - mean).max() <= tolerance)


def _counters(transaction: Transaction) -> Iterator[str]:
    """Numbers that would be given twice, or that run ahead of the gallery."""
    for counter, column in (
        (t.gallery.c.next_person, t.person.c.key),
        (t.gallery.c.next_person, t.removal.c.person),
        (t.gallery.c.next_sample, t.sample.c.id),
    ):
        following = transaction.connection.execute(sql.select(counter)).scalar_one()
        largest = transaction.connection.execute(sql.select(sql.func.max(column))).scalar()
        if largest is not None and largest >= following:
            yield f"the next {column.table.name} would get the number {following}, which is not free"
    for column in (t.person.c.changed, t.removal.c.revision):
        ahead = transaction.connection.execute(sql.select(sql.func.max(column))).scalar()
        if ahead is not None and ahead > transaction.revision:
            yield f"a {column.table.name} was changed at revision {ahead}, after the gallery's {transaction.revision}"
    both = sql.select(t.removal.c.person).join(t.person, t.person.c.key == t.removal.c.person)
    found = transaction.connection.execute(both.where(t.person.c.changed.is_not(None))).scalars()
    yield from _some(found, "people who are told to be both in the index and gone")


def _twice(transaction: Transaction) -> Iterator[str]:
    """The same face of the same picture under two people."""
    query = (
        sql.select(t.sample.c.sha256, t.sample.c.place)
        .group_by(t.sample.c.sha256, t.sample.c.place)
        .having(sql.func.count(sql.distinct(t.sample.c.person)) > 1)
    )
    for sha256, place in transaction.connection.execute(query.limit(_SHOWN)).all():
        owners = (
            sql.select(t.person.c.person)
            .join(t.sample, t.sample.c.person == t.person.c.key)
            .where(t.sample.c.sha256 == sha256, t.sample.c.place == place)
            .order_by(t.person.c.key)
        )
        yield from _some(
            transaction.connection.execute(owners).scalars(),
            f"one face of the picture {sha256[:12]} is of several people",
        )


def _unusable(transaction: Transaction) -> Iterator[str]:
    """People who should be erased, and people without a sample."""
    person = t.person.c
    for condition, text in (
        (person.expires <= transaction.now, "people who expired; run visavis gallery purge"),
        (person.consent_withdrawn.is_not(None), "people who withdrew consent; run visavis gallery purge"),
    ):
        found = sql.select(person.person).where(condition).order_by(person.key)
        yield from _some(transaction.connection.execute(found).scalars(), text)
