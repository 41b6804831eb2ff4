"""The people of a gallery: added, changed, looked up, erased."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from visavis.gallery.accepted import check_id, check_reason
from visavis.gallery.consent import Consent
from visavis.gallery.open_gallery import OpenGallery
from visavis.gallery.person import Person


class _Keep(Enum):
    KEEP = "keep"


KEEP: Final = _Keep.KEEP
"""Leave a field of a person as it is."""


class GalleryPeople(OpenGallery):
    """What `visavis.gallery.gallery.Gallery` does with people."""

    def add_person(
        self,
        person: str,
        *,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        consent: Consent | None = None,
        expires: datetime | None = None,
    ) -> Person:
        """Add a person without a sample; one who is there is returned unchanged.

        Args:
            person: Id: 1 to 200 characters that can be shown on one line.
            name: For people to read.
            metadata: JSON, at most 64 KiB and 32 levels.
            consent: On what basis the person is kept.
            expires: Moment from which the person is not to be found any more, with a time zone.

        Raises:
            InputError: ``gallery.person-id``, ``gallery.text`` or ``gallery.metadata``.
        """
        from visavis.gallery.records import people

        values = people.values_of(name=name, metadata=metadata, consent=consent, expires=expires)
        with self._store.write() as transaction:
            if not people.by_ids(transaction, [check_id(person)]):
                people.add_people(transaction, {person: values})
                transaction.log("added", people=1, person=person)
            return people.find(transaction, person)

    def update_person(
        self,
        person: str,
        *,
        name: str | _Keep | None = KEEP,
        metadata: Mapping[str, Any] | _Keep | None = KEEP,
        consent: Consent | _Keep | None = KEEP,
        expires: datetime | _Keep | None = KEEP,
    ) -> Person:
        """Change what is known of a person; what is not given stays. Metadata is replaced as a whole.

        A person whose consent is withdrawn leaves the index with this call, and is erased by `purge`.

        Raises:
            InputError: ``gallery.person``: there is no such person; or what `add_person` raises.
        """
        from visavis.gallery.records import people

        given = {"name": name, "metadata": metadata, "consent": consent, "expires": expires}
        kept: dict[str, Any] = {field: value for field, value in given.items() if value is not KEEP}
        values = people.values_of(**kept)
        columns = {"consent": people.consent_values(None)}
        chosen = [column for field in kept for column in columns.get(field, (field,))]
        with self._store.write() as transaction:
            people.update(transaction, person, {column: values[column] for column in chosen})
            return people.find(transaction, person)

    def person(self, person: str) -> Person:
        """The person of an id, also one who may not be found any more; see `Person.usable`.

        Raises:
            InputError: ``gallery.person``: there is none.
        """
        from visavis.gallery.records import people

        with self._store.read() as transaction:
            return people.find(transaction, person)

    def people(self, *, where: Mapping[str, Any] | None = None) -> list[Person]:
        """Everybody in the order in which they were added, also those who may not be found any more.

        Args:
            where: Only people whose metadata has these entries, as equal JSON.
        """
        from visavis.gallery.records import people

        with self._store.read() as transaction:
            return people.listed(transaction, where)

    def people_of(self, keys: Iterable[int]) -> dict[int, Person]:
        """The people of keys; those who are gone, expired or withdrew consent are left out.

        Args:
            keys: As an index returns them; -1 is nobody.
        """
        from visavis.gallery.records import people

        with self._store.read() as transaction:
            return people.by_keys(transaction, keys)

    def keys(self, *, where: Mapping[str, Any] | None = None) -> NDArray[np.int64]:
        """Keys of everybody who may be found at this moment, increasing: what a search may be limited to.

        Args:
            where: Only people whose metadata has these entries, as equal JSON.
        """
        from visavis.gallery.records import people

        with self._store.read() as transaction:
            return people.keys_with(transaction, where)

    def remove_person(self, person: str, *, reason: str) -> None:
        """Erase a person with all samples, templates and crops.

        Raises:
            InputError: ``gallery.person``, or ``gallery.text`` for the reason.
        """
        from visavis.gallery.records import corrections

        why = check_reason(reason)
        with self._store.write() as transaction:
            corrections.remove_person(transaction, person, reason=why)
        self._store.wipe()

    def merge_people(self, source: str, into: str, *, reason: str) -> None:
        """Two people are one: the samples of the first go to the second, and the first is erased.

        Name, metadata, consent and expiry are those of the second.

        Raises:
            InputError: ``gallery.person``; ``gallery.consent``: one of them expired or withdrew consent; or
                ``gallery.text`` for the reason.
        """
        from visavis.gallery.records import corrections

        why = check_reason(reason)
        with self._store.write() as transaction:
            corrections.merge_people(transaction, source, into, reason=why)
        self._store.wipe()
