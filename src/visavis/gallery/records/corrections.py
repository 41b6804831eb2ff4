"""Corrections: who somebody is, set right, with the reason; and the erasing of people who may not be kept."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sql

from visavis.errors import UsageError
from visavis.gallery.person import Person, require_usable
from visavis.gallery.records import tables as t
from visavis.gallery.records.dialect import mark_erased
from visavis.gallery.records.people import find, unusable
from visavis.gallery.records.rows import forget, portions, refresh
from visavis.gallery.records.samples import one
from visavis.gallery.records.store import Transaction


def remove_person(transaction: Transaction, person: str, *, reason: str) -> None:
    """Erase a person with all samples."""
    found = find(transaction, person)
    _erase(transaction, [found])
    transaction.correct("remove-person", source=person, target=None, reason=reason)
    transaction.log("removed", person=person, samples=found.samples)


def remove_sample(transaction: Transaction, number: int, *, reason: str) -> None:
    """Erase a sample."""
    owner = find(transaction, one(transaction, number).person)
    mark_erased(transaction.connection)
    transaction.connection.execute(t.sample.delete().where(t.sample.c.id == number))
    refresh(transaction, [owner.key])
    transaction.correct("remove-sample", source=owner.person, target=None, reason=reason, sample=number)
    transaction.log("removed", person=owner.person, sample=number)


def move_sample(transaction: Transaction, number: int, *, to: str, reason: str) -> None:
    """Give a sample to another person; where that one has the same face of the same picture, it is erased.

    Raises:
        InputError: ``gallery.consent``: one of the two expired or withdrew consent, which this would undo.
    """
    owner, target = find(transaction, one(transaction, number).person), find(transaction, to)
    if owner.key == target.key:
        raise UsageError(f"sample {number} is of {to!r} already; name another person to move it to")
    _require_both(transaction, owner, target)
    _hand_over(transaction, t.sample.c.id == number, target)
    refresh(transaction, [owner.key, target.key])
    transaction.correct("move-sample", source=owner.person, target=to, reason=reason, sample=number)
    transaction.log("moved", sample=number, source=owner.person, target=to)


def merge_people(transaction: Transaction, source: str, into: str, *, reason: str) -> None:
    """Give all samples of a person to another, and erase the first.

    Raises:
        InputError: ``gallery.consent``: one of the two expired or withdrew consent, which this would undo.
    """
    one_person, other = find(transaction, source), find(transaction, into)
    if one_person.key == other.key:
        raise UsageError(f"{source!r} cannot be merged into the same person; name two")
    _require_both(transaction, one_person, other)
    _hand_over(transaction, t.sample.c.person == one_person.key, other)
    _erase(transaction, [one_person])
    refresh(transaction, [other.key])
    transaction.correct("merge-people", source=source, target=into, reason=reason)
    transaction.log("merged", source=source, target=into, samples=one_person.samples)


def purge(transaction: Transaction, now: datetime) -> list[str]:
    """Erase everybody who expired or withdrew consent.

    Returns:
        Their ids.
    """
    gone = unusable(transaction, now)
    if gone:
        _erase(transaction, gone)
        transaction.log("purged", people=[person.person for person in gone])
    return [person.person for person in gone]


def _require_both(transaction: Transaction, *people: Person) -> None:
    for person in people:
        require_usable(person, transaction.now)


def _hand_over(transaction: Transaction, which: sql.ColumnElement[bool], target: Person) -> None:
    """Samples get another person; those that this one has already are erased."""
    connection = transaction.connection
    mark_erased(connection)
    other = t.sample.alias("other")
    twin = sql.exists().where(
        other.c.person == target.key, other.c.sha256 == t.sample.c.sha256, other.c.place == t.sample.c.place
    )
    connection.execute(t.sample.delete().where(which, twin))
    connection.execute(t.sample.update().where(which).values(person=target.key))


def _erase(transaction: Transaction, people: list[Person]) -> None:
    """People with all that hangs on them; samples, templates, crops and look-up rows go by the foreign keys."""
    mark_erased(transaction.connection)
    for portion in portions(person.key for person in people):
        transaction.connection.execute(t.person.delete().where(t.person.c.key.in_(portion)))
    forget(transaction, [person.key for person in people])
