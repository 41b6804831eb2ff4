"""Rows of another gallery, put into one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sqlalchemy as sql
from numpy.typing import NDArray
from sqlalchemy.exc import IntegrityError

from visavis.errors import InputError, VisavisError
from visavis.gallery.accepted import check_id, check_sha256, check_text, storable_source
from visavis.gallery.consent import Consent
from visavis.gallery.person import may_be_found
from visavis.gallery.records import tables as t
from visavis.gallery.records.people import add_attributes, values_of
from visavis.gallery.records.rows import portions, refresh
from visavis.gallery.records.samples import natural_keys, place
from visavis.gallery.records.snapshot import PERSON_FIELDS, Row
from visavis.gallery.records.store import Transaction
from visavis.gallery.records.templates import check_vectors, encode

_LARGEST = (1 << 62) - 1
_HISTORY = {"what": 32, "who": 1000, "source": 200, "target": 200, "reason": 1000}
"""Characters of the texts of corrections and events at most."""


@dataclass(slots=True)
class Taken:
    """What came into a gallery.

    Attributes:
        people: Number of people that were added.
        samples: Number of samples that were added.
        known: Number of samples that were there already.
        closed: Ids of people who are there and expired or withdrew consent: nothing was added to them.
        conflicts: What differs of people who are there already, and was left as it is: id -> names of fields.
    """

    people: int = 0
    samples: int = 0
    known: int = 0
    closed: set[str] = field(default_factory=set)
    conflicts: dict[str, list[str]] = field(default_factory=dict)


class Loader:
    """Puts rows of another gallery into one, in a single write.

    Args:
        transaction: A write.
        whole: The gallery is empty and becomes a copy: numbers, moments, corrections and events are taken over. Else
            people are known by their id and samples by person, picture and box, and what is there stays.
    """

    def __init__(self, transaction: Transaction, *, whole: bool) -> None:
        self.taken = Taken()
        self._transaction = transaction
        self._whole = whole
        self._keys: dict[int, int] = {}
        self._numbers: dict[int, int] = {}
        self._touched: set[int] = set()
        self._closed: dict[int, str] = {}

    def people(self, rows: Sequence[Row]) -> None:
        """Add those people who are not there.

        Raises:
            InputError: Fields that no gallery accepts, or a person twice.
        """
        checked = {check_id(row["person"]): _person_values(row) for row in rows}
        if len({row["key"] for row in rows} - set(self._keys)) < len(rows):
            raise unfit("two people of it have one number")
        there = self._there(checked)
        new = []
        for row in rows:
            values = checked[row["person"]]
            known = there.get(row["person"])
            if known is None:
                new.append({**values, "person": row["person"], "created": row["created"], "key": row["key"]})
                continue
            self._keys[row["key"]] = known["key"]
            if not may_be_found(known["consent_withdrawn"], known["expires"], now=self._transaction.now):
                self._closed[known["key"]] = row["person"]
            differing = [name for name in PERSON_FIELDS if known[name] != values[name]]
            if differing:
                self.taken.conflicts[row["person"]] = differing
        if not self._whole:
            keys = self._transaction.take(t.gallery.c.next_person, len(new))
            for row, key in zip(new, keys, strict=True):
                self._keys[row["key"]], row["key"] = key, key
        else:
            self._keys |= {row["key"]: _number(row["key"]) for row in new}
        self._insert(t.person, [{**row, "samples": 0, "sole": None, "changed": None} for row in new])
        add_attributes(self._transaction, {row["key"]: row["metadata"] for row in new})
        self.taken.people += len(new)

    def samples(self, told: Sequence[Row], vectors: NDArray[np.float32]) -> None:
        """Add those samples that are not there.

        Args:
            told: Rows as `visavis.gallery.records.snapshot.Snapshot.samples` gives them.
            vectors: Their templates, float32 ``(N, D)``.

        Raises:
            InputError: Fields that no gallery accepts, a person who is not there, or a sample twice.
            UsageError: Vectors that are not of unit norm or of another length.
        """
        vectors = check_vectors(list(vectors), self._transaction.dimension)
        rows = [_sample_values(row, self._keys) for row in told]
        taken = set() if self._whole else natural_keys(self._transaction, {row["sha256"] for row in rows})
        new = [at for at, row in enumerate(rows) if _natural(row) not in taken]
        self.taken.known += len(rows) - len(new)
        fresh = [at for at in new if rows[at]["person"] not in self._closed]
        self.taken.closed |= {self._closed[rows[at]["person"]] for at in new if rows[at]["person"] in self._closed}
        if not self._whole:
            numbers = self._transaction.take(t.gallery.c.next_sample, len(fresh))
            for at, number in zip(fresh, numbers, strict=True):
                self._numbers[rows[at]["id"]], rows[at]["id"] = number, number
        else:
            self._numbers |= {row["id"]: _number(row["id"]) for row in rows}
        self._insert(t.sample, [rows[at] for at in fresh])
        templates = [
            {
                "sample": rows[at]["id"],
                "fingerprint": self._transaction.fingerprint,
                "norm": _finite(told[at]["norm"]),
                "data": data,
            }
            for at, data in zip(fresh, encode(vectors[fresh], self._transaction.storage), strict=True)
        ]
        self._insert(t.template, templates)
        self._touched |= {rows[at]["person"] for at in fresh}
        self.taken.samples += len(fresh)

    def crops(self, rows: Iterable[Row]) -> None:
        """Add the crops of samples that were added; their pictures have been looked at."""
        if self._transaction.keep_crops:
            self._insert(
                t.crop,
                [
                    {
                        "sample": self._numbers[row["sample"]],
                        "template": check_text(row["template"], "name of a crop's template"),
                        "png": row["png"],
                    }
                    for row in rows
                    if row["sample"] in self._numbers
                ],
            )

    def history(self, table: str, rows: Iterable[Row]) -> None:
        """Take over ``corrections`` or ``events``, where the whole gallery is copied."""
        if self._whole:
            kept = t.correction if table == "corrections" else t.event
            self._insert(kept, [_history_values(row) for row in rows])

    def finish(self, *, next_numbers: tuple[int, int] = (1, 1), **detail: object) -> Taken:
        """Work out the rows of an index and the counters, and put down an event.

        Args:
            next_numbers: What the next person and sample would have got where a whole gallery comes from.
            **detail: Of the event.
        """
        refresh(self._transaction, self._touched)
        if self._whole:
            person, sample = next_numbers
            self._transaction.connection.execute(
                t.gallery.update().values(
                    next_person=max(person, 1 + max(self._keys.values(), default=0)),
                    next_sample=max(sample, 1 + max(self._numbers.values(), default=0)),
                )
            )
        counts = {"people": self.taken.people, "samples": self.taken.samples, "known": self.taken.known}
        self._transaction.log("imported", **counts, **detail)
        return self.taken

    def _there(self, ids: Iterable[str]) -> dict[str, Row]:
        found: dict[str, Row] = {}
        columns = [t.person.c[name] for name in ("key", "person", *PERSON_FIELDS)]
        for portion in portions(ids):
            query = sql.select(*columns).where(t.person.c.person.in_(portion))
            found |= {row["person"]: dict(row) for row in self._transaction.connection.execute(query).mappings()}
        return found

    def _insert(self, table: sql.Table, rows: list[Row]) -> None:
        if not rows:
            return
        try:
            self._transaction.connection.execute(table.insert(), rows)
        except IntegrityError as error:
            raise unfit(f"two rows of its {table.name}s are one, or one belongs to none: {error.orig}") from error


def unfit(why: str) -> InputError:
    """The error for rows that no gallery would hold."""
    return InputError(f"this gallery cannot be taken over: {why}; use an intact copy", reason="exchange.archive")


def _person_values(row: Mapping[str, Any]) -> Row:
    basis, given, withdrawn = row["consent_basis"], row["consent_given"], row["consent_withdrawn"]
    if (basis is None) != (given is None) or (basis is None and withdrawn is not None):
        raise unfit(f"the consent of {row['person']!r} has no basis or no date")
    if row["created"] is None:
        raise unfit(f"{row['person']!r} has no date")
    consent = None if basis is None else Consent(basis, given, withdrawn)
    return values_of(name=row["name"], metadata=row["metadata"], consent=consent, expires=row["expires"])


def _history_values(row: Mapping[str, Any]) -> Row:
    """A correction or an event without its number; texts are those that a gallery would write.

    Raises:
        InputError: They are not.
    """
    for name, longest in _HISTORY.items():
        if len(check_text(row.get(name), name) or "") > longest:
            raise unfit(f"a correction or event has a {name} of more than {longest} characters")
    return {name: value for name, value in row.items() if name != "id"}


def _sample_values(row: Mapping[str, Any], keys: Mapping[int, int]) -> Row:
    if row["person"] not in keys:
        raise unfit(f"sample {row['id']} is of person {row['person']}, who is not in it")
    sides = [_finite(row[name]) for name in ("left", "top", "right", "bottom")]
    quality = row["quality"]
    if quality is not None and not 0 <= quality <= 100:
        raise unfit(f"sample {row['id']} has quality {quality}; it is 0..100")
    try:
        digest = check_sha256(row["sha256"])
    except VisavisError as error:
        raise unfit(f"sample {row['id']}: {error.message}") from error
    left, top, right, bottom = sides
    return {
        "id": row["id"],
        "person": keys[row["person"]],
        "sha256": digest,
        "place": place((left, top, right, bottom)),
        "source": storable_source(row["source"]),
        "left": left,
        "top": top,
        "right": right,
        "bottom": bottom,
        "score": _finite(row["score"]),
        "quality": quality,
        "created": row["created"],
    }


def _natural(row: Row) -> tuple[int, str, str]:
    return row["person"], row["sha256"], row["place"]


def _number(value: int) -> int:
    if not 0 < value <= _LARGEST:
        raise unfit(f"a number of a person or sample is {value}")
    return value


def _finite(value: float | None) -> float:
    if value is None or not abs(value) <= 1e9:
        raise unfit(f"a box, score or norm is {value}")
    return float(value)
