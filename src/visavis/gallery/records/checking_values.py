"""What is written in the rows of a gallery, looked over: values that no gallery writes, and tables that changed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sql

from visavis.errors import VisavisError
from visavis.gallery.accepted import check_id, check_sha256, digest
from visavis.gallery.records import tables as t
from visavis.gallery.records.rows import PORTION
from visavis.gallery.records.samples import place
from visavis.gallery.records.store import Transaction


def schema_problems(transaction: Transaction) -> Iterator[str]:
    """Columns, indexes and constraints that are not there."""
    found = sql.inspect(transaction.connection)
    for table in t.metadata.sorted_tables:
        there: set[str | None] = {column["name"] for column in found.get_columns(table.name)}
        there |= {index["name"] for index in found.get_indexes(table.name)}
        there |= {unique["name"] for unique in found.get_unique_constraints(table.name)}
        parts = [*table.columns, *table.indexes, *(one for one in table.constraints if _is_unique(one))]
        yield from (f"the table {table.name} has no {part.name}" for part in parts if part.name not in there)


def _is_unique(constraint: sql.Constraint) -> bool:
    return isinstance(constraint, sql.UniqueConstraint)


def wrong_people(transaction: Transaction) -> dict[str, list[str]]:
    """People with values that no gallery writes, by what is wrong."""
    wrong: dict[str, list[str]] = {
        "people whose id no gallery takes": [],
        "people with half a consent": [],
        "people who are not found by their metadata": [],
    }
    ids, consents, metadata = wrong.values()
    for people in transaction.connection.execute(sql.select(t.person).order_by(t.person.c.key)).partitions(PORTION):
        told = _digests(transaction, [row.key for row in people])
        for row in people:
            ids += [row.person] if not _accepted(check_id, row.person) else []
            half = (row.consent_basis is None) != (row.consent_given is None)
            consents += [row.person] if half or (row.consent_withdrawn and row.consent_basis is None) else []
            expected = {digest(name, value) for name, value in row.metadata.items()}
            metadata += [row.person] if told.get(row.key, set()) != expected else []
    return wrong


def _digests(transaction: Transaction, keys: list[int]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for row in transaction.connection.execute(sql.select(t.attribute).where(t.attribute.c.person.in_(keys))):
        found.setdefault(row.person, set()).add(row.digest)
    return found


def wrong_samples(transaction: Transaction) -> Iterator[int]:
    """Samples whose sha256, box, quality, score or norm no gallery writes."""
    query = sql.select(t.sample, t.template.c.norm).join(
        t.template,
        sql.and_(t.template.c.sample == t.sample.c.id, t.template.c.fingerprint == transaction.fingerprint),
    )
    for rows in transaction.connection.execute(query.order_by(t.sample.c.id)).partitions(PORTION):
        yield from (row.id for row in rows if not _fits(row))


def _fits(row: Any) -> bool:
    box = (row.left, row.top, row.right, row.bottom)
    numbers = (*box, row.score, row.norm, 0.0 if row.quality is None else row.quality)
    if not all(isinstance(one, int | float) and math.isfinite(one) for one in numbers):
        return False
    return bool(row.place == place(box) and 0 <= numbers[-1] <= 100 and _accepted(check_sha256, row.sha256))


def uneven_spaces(transaction: Transaction) -> Iterator[str]:
    """Spaces whose templates are of several lengths."""
    length = sql.func.length(t.template.c.data)
    query = sql.select(t.template.c.fingerprint).group_by(t.template.c.fingerprint)
    return iter(transaction.connection.execute(query.having(sql.func.min(length) < sql.func.max(length))).scalars())


def read_history(transaction: Transaction) -> None:
    """Read every correction and event: one that cannot be read is an error.

    Raises:
        ValueError: See `visavis.gallery.records.tables.BrokenValue`.
    """
    for table in (t.correction, t.event):
        for _ in transaction.connection.execute(sql.select(table)).partitions(PORTION):
            pass


def _accepted(check: Any, value: Any) -> bool:
    try:
        check(value)
    except (VisavisError, TypeError):
        return False
    return True
