"""People: added, changed, looked up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sql
from numpy.typing import NDArray

from visavis.errors import InputError
from visavis.gallery.accepted import check_id, check_metadata, check_text, digest
from visavis.gallery.consent import Consent, check_moment
from visavis.gallery.person import Person
from visavis.gallery.records import tables as t
from visavis.gallery.records.rows import portions, refresh
from visavis.gallery.records.store import Transaction


def values_of(
    *,
    name: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    consent: Consent | None = None,
    expires: datetime | None = None,
) -> dict[str, Any]:
    """What is kept of a person, checked, by column.

    Raises:
        InputError: ``gallery.text`` or ``gallery.metadata``.
        UsageError: A moment without a zone.
    """
    check_moment(expires, "expires")
    return {
        "name": check_text(name, "name of a person"),
        "metadata": check_metadata(metadata),
        "expires": expires,
        **consent_values(consent),
    }


def consent_values(consent: Consent | None) -> dict[str, Any]:
    """The columns of a consent."""
    return {
        "consent_basis": None if consent is None else check_text(consent.basis, "basis of a consent"),
        "consent_given": None if consent is None else consent.given,
        "consent_withdrawn": None if consent is None else consent.withdrawn,
    }


def add_people(transaction: Transaction, people: Mapping[str, Mapping[str, Any]]) -> None:
    """Add people who are not there yet; ``people`` gives the columns by id."""
    if not people:
        return
    keys = transaction.take(t.gallery.c.next_person, len(people))
    fixed = {"created": transaction.now, "samples": 0, "sole": None, "changed": None}
    rows = [
        {"key": key, "person": person, **values, **fixed}
        for key, (person, values) in zip(keys, people.items(), strict=True)
    ]
    transaction.connection.execute(t.person.insert(), rows)
    add_attributes(transaction, {row["key"]: row["metadata"] for row in rows})


def update(transaction: Transaction, person: str, values: Mapping[str, Any]) -> None:
    """Change columns of a person."""
    found = find(transaction, person)
    if values:
        transaction.connection.execute(t.person.update().where(t.person.c.key == found.key).values(**values))
    if "metadata" in values:
        transaction.connection.execute(t.attribute.delete().where(t.attribute.c.person == found.key))
        add_attributes(transaction, {found.key: values["metadata"]})
    withdrawn = values.get("consent_withdrawn", found.consent and found.consent.withdrawn)
    if (withdrawn is None) != (found.consent is None or found.consent.withdrawn is None):
        refresh(transaction, [found.key])
    transaction.log("updated", person=person, fields=sorted({name.partition("_")[0] for name in values}))


def find(transaction: Transaction, person: str) -> Person:
    """The person of an id.

    Raises:
        InputError: ``gallery.person``: there is none.
    """
    row = transaction.connection.execute(sql.select(t.person).where(t.person.c.person == check_id(person))).first()
    if row is None:
        raise InputError(
            f"nobody in this gallery has the id {person!r}; visavis gallery people FILE lists them",
            reason="gallery.person",
        )
    return _person(row)


def by_ids(transaction: Transaction, people: Iterable[str]) -> dict[str, Person]:
    """Those of the ids who are there, by id."""
    found: dict[str, Person] = {}
    for portion in portions(people):
        wanted = sql.select(t.person).where(t.person.c.person.in_(portion))
        found |= {row.person: _person(row) for row in transaction.connection.execute(wanted)}
    return found


def by_keys(transaction: Transaction, keys: Iterable[int]) -> dict[int, Person]:
    """The people of some keys who may be found at this moment."""
    found: dict[int, Person] = {}
    for portion in portions({t.number(key) for key in keys}):
        for row in transaction.connection.execute(sql.select(t.person).where(t.person.c.key.in_(portion))):
            person = _person(row)
            if person.usable(transaction.now):
                found[person.key] = person
    return found


def listed(transaction: Transaction, where: Mapping[str, Any] | None) -> list[Person]:
    """All people in the order in which they were added, or those whose metadata has these entries."""
    wanted = _with_metadata(sql.select(t.person), where).order_by(t.person.c.key)
    return [_person(row) for row in transaction.connection.execute(wanted)]


def unusable(transaction: Transaction, now: datetime) -> list[Person]:
    """Everybody who may not be found at a moment: expired, or consent withdrawn."""
    over = sql.or_(t.person.c.consent_withdrawn.is_not(None), t.person.c.expires <= now)
    wanted = sql.select(t.person).where(over).order_by(t.person.c.key)
    return [person for row in transaction.connection.execute(wanted) if not (person := _person(row)).usable(now)]


def keys_with(transaction: Transaction, where: Mapping[str, Any] | None) -> NDArray[np.int64]:
    """Keys of the people who may be found at this moment and whose metadata has these entries, increasing."""
    usable = sql.and_(
        t.person.c.samples > 0,
        t.person.c.consent_withdrawn.is_(None),
        sql.or_(t.person.c.expires.is_(None), t.person.c.expires > transaction.now),
    )
    wanted = _with_metadata(sql.select(t.person.c.key), where).where(usable).order_by(t.person.c.key)
    return np.fromiter(transaction.connection.execute(wanted).scalars(), np.int64)


def _with_metadata(query: sql.Select[Any], where: Mapping[str, Any] | None) -> sql.Select[Any]:
    for name, value in check_metadata(where).items():
        query = query.where(
            sql.exists().where(t.attribute.c.person == t.person.c.key, t.attribute.c.digest == digest(name, value))
        )
    return query


def add_attributes(transaction: Transaction, metadata: Mapping[int, Mapping[str, Any]]) -> None:
    """Note the hashes by which people are looked up; ``metadata`` gives that of each by key."""
    rows = [
        {"person": key, "digest": digest(name, value)}
        for key, entries in metadata.items()
        for name, value in entries.items()
    ]
    if rows:
        transaction.connection.execute(t.attribute.insert(), rows)


def _person(row: Any) -> Person:
    basis, given = row.consent_basis, row.consent_given
    consent = None if basis is None or given is None else Consent(basis, given, row.consent_withdrawn)
    return Person(row.key, row.person, row.name, row.metadata, consent, row.expires, row.created, row.samples)
