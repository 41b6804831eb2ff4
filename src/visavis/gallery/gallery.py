"""Gallery: people and their faces in one file."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from visavis.gallery.accepted import check_id, check_text
from visavis.gallery.changes import Changes
from visavis.gallery.consent import Consent, check_moment
from visavis.gallery.event import Correction, Event
from visavis.gallery.info import GalleryInfo, Storage
from visavis.gallery.person import Person
from visavis.gallery.sample import NewSample, Sample
from visavis.types import Provenance, TemplateSpace

if TYPE_CHECKING:
    from visavis.gallery.records.store import Store


class _Keep(Enum):
    KEEP = "keep"


KEEP: Final = _Keep.KEEP
"""Leave a field of a person as it is."""


class Gallery:
    """People and their faces in one SQLite file; safe to share between threads, and open in several processes at once.

    A write is in the file, and on the disk, when its call returns; a process that is killed leaves the state before or
    after a write. One write is done at a time; others wait for it, readers do not. Nothing of an index is in the file:
    it follows `changes`.

    Galleries are made by `Gallery.create` and opened by `Gallery.open`.
    """

    def __init__(self, store: Store, info: GalleryInfo) -> None:
        self._store = store
        self._keep_crops = info.keep_crops
        self.path: Path = store.path
        self.uuid: str = info.uuid
        self.space: TemplateSpace = info.space

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        space: TemplateSpace,
        made_by: Provenance,
        storage: Storage = "float32",
        keep_crops: bool = True,
        who: str | None = None,
    ) -> Gallery:
        """Make an empty gallery; its file is there whole or not at all.

        Args:
            path: The file; nothing may be there. It must lie on a local disk.
            space: Of the templates that it will hold.
            made_by: Model and engine that make them.
            storage: ``float32``, or ``int8`` for one byte a value (see `visavis.types.codes.quantise`).
            keep_crops: Whether aligned crops are kept; without them the gallery cannot be moved to another model.
            who: User to whom events are put down; the one of this process when None.

        Raises:
            InputError: ``gallery.exists``, ``gallery.missing`` (no such folder), ``gallery.permission`` or
                ``gallery.full``.
        """
        from visavis.gallery.records.creation import create

        user = _user() if who is None else who
        create(Path(path), space=space, made_by=made_by, storage=storage, keep_crops=keep_crops, who=user)
        return cls.open(path, space=space, who=who)

    @classmethod
    def open(cls, path: str | Path, *, space: TemplateSpace | None = None, who: str | None = None) -> Gallery:
        """Open a gallery that is there.

        Args:
            path: The file.
            space: Of the model that is at hand; any will do when None.
            who: User to whom events are put down; the one of this process when None.

        Raises:
            SpaceError: ``gallery.space``: the gallery is in another space.
            InputError: ``gallery.missing``, ``gallery.format`` (no gallery), ``gallery.newer`` (a later visavis made
                it), ``gallery.damaged``, ``gallery.permission`` or ``gallery.locked``.
        """
        from visavis.gallery.records.creation import open_store

        return cls(*open_store(Path(path), who=_user() if who is None else who, space=space))

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._store.close()

    @property
    def info(self) -> GalleryInfo:
        """What the gallery is, at this moment."""
        from visavis.gallery.records.description import describe

        with self._store.read() as transaction:
            return describe(transaction, self.path)

    @property
    def fingerprint(self) -> str:
        """Of the space of the templates."""
        return self.space.fingerprint

    @property
    def dimension(self) -> int:
        """Of the templates."""
        return self.space.dimension

    @property
    def revision(self) -> int:
        """Number of writes so far, in the order in which they were committed."""
        with self._store.read() as transaction:
            return transaction.revision

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
            if not people.keys_of(transaction, [check_id(person)]):
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

        why = _reason(reason)
        with self._store.write() as transaction:
            corrections.remove_person(transaction, person, reason=why)
        self._store.wipe()

    def merge_people(self, source: str, into: str, *, reason: str) -> None:
        """Two people are one: the samples of the first go to the second, and the first is erased.

        Name, metadata, consent and expiry are those of the second.

        Raises:
            InputError: ``gallery.person``, or ``gallery.text`` for the reason.
        """
        from visavis.gallery.records import corrections

        why = _reason(reason)
        with self._store.write() as transaction:
            corrections.merge_people(transaction, source, into, reason=why)
        self._store.wipe()

    def add_samples(self, samples: Sequence[NewSample]) -> list[int | None]:
        """Add faces in one write; people who are not there are made.

        A sample is known by its person, the sha256 of its picture and its box in whole pixels: one that is there
        already is left as it is, so that a step that was broken off can be done again.

        Args:
            samples: Any number; some hundreds at a time are fastest.

        Returns:
            The number of each sample; None where it was there already.

        Raises:
            InputError: ``gallery.person-id``, ``gallery.metadata``; ``gallery.full``, ``gallery.locked`` ... In all
                cases nothing was written.
            UsageError: A vector that is not finite, of unit norm and of the gallery's length, or other wrong numbers.
            SpaceError: ``gallery.space``: the gallery was migrated since it was opened.
        """
        from visavis.gallery.records import samples as records

        listed = list(samples)
        if not listed:
            return []
        vectors = records.check_samples(listed, self.dimension)
        crops = [records.png_of(sample) for sample in listed] if self._keep_crops else [None] * len(listed)
        with self._store.write() as transaction:
            return records.add(transaction, listed, vectors, crops)

    def samples(self, person: str) -> list[Sample]:
        """The samples of a person, in the order in which they were added.

        Raises:
            InputError: ``gallery.person``: there is none.
        """
        from visavis.gallery.records import samples as records

        with self._store.read() as transaction:
            return records.of_person(transaction, person)

    def sample(self, sample: int) -> Sample:
        """The sample of a number.

        Raises:
            InputError: ``gallery.sample``: there is none.
        """
        from visavis.gallery.records import samples as records

        with self._store.read() as transaction:
            return records.one(transaction, sample)

    def vectors(self, samples: Sequence[int]) -> NDArray[np.float32]:
        """Templates of samples.

        Args:
            samples: Numbers of samples.

        Returns:
            float32 ``(N, D)``, unit norm, in the order asked for.

        Raises:
            InputError: ``gallery.sample``: one is not there.
        """
        from visavis.gallery.records import samples as records

        with self._store.read() as transaction:
            return records.vectors(transaction, samples)

    def known(self, pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the pairs ``(person, sha256)`` of which a sample is there."""
        from visavis.gallery.records import samples as records

        with self._store.read() as transaction:
            return records.known(transaction, pairs)

    def has(self, person: str, sha256: str) -> bool:
        """Whether a person has a sample of a picture."""
        return bool(self.known([(person, sha256)]))

    def crop(self, sample: int) -> NDArray[np.uint8] | None:
        """The aligned crop of a sample, uint8 RGB ``(H, W, 3)``; None where none is kept.

        Raises:
            InputError: ``gallery.sample``: there is none.
        """
        from visavis.gallery.records import samples as records
        from visavis.io import read

        with self._store.read() as transaction:
            data = records.crop_png(transaction, sample)
        return None if data is None else read(data).pixels

    def remove_sample(self, sample: int, *, reason: str) -> None:
        """Erase a sample; its person stays, also without any.

        Raises:
            InputError: ``gallery.sample``, or ``gallery.text`` for the reason.
        """
        from visavis.gallery.records import corrections

        why = _reason(reason)
        with self._store.write() as transaction:
            corrections.remove_sample(transaction, sample, reason=why)
        self._store.wipe()

    def move_sample(self, sample: int, *, to: str, reason: str) -> None:
        """Give a sample to the person whose it is; where that one has this face already, it is erased.

        Raises:
            InputError: ``gallery.sample``, ``gallery.person``, or ``gallery.text`` for the reason.
            UsageError: It is of that person already.
        """
        from visavis.gallery.records import corrections

        why = _reason(reason)
        with self._store.write() as transaction:
            corrections.move_sample(transaction, sample, to=to, reason=why)

    def purge(self, *, now: datetime | None = None) -> list[str]:
        """Erase everybody who expired or withdrew consent, with all samples, templates and crops.

        What was erased is overwritten in the file, and in its write-ahead log as soon as nobody else reads. An index
        beside the file lets go of it when it is next refreshed.

        Args:
            now: The moment that counts, with a time zone; this one when None.

        Returns:
            The ids of those who are gone.
        """
        from visavis.gallery.records import corrections

        check_moment(now, "now")
        with self._store.write() as transaction:
            gone = corrections.purge(transaction, transaction.now if now is None else now)
        self._store.wipe()
        return gone

    def check(self) -> list[str]:
        """What is wrong, in plain words; an empty list is a clean gallery.

        The database and its references, the length and norm of every template, the pooled templates against the
        samples, counters. Lines that begin with ``warning:`` are about people and pictures, not about the file: one
        face under two people, people who should be purged.

        Raises:
            InputError: ``gallery.damaged``, where the file is so damaged that it cannot be looked over.
        """
        from visavis.gallery.records.checking import problems

        with self._store.read() as transaction:
            return problems(transaction)

    def events(self, *, since: int = 0) -> Iterator[Event]:
        """What was done, oldest first.

        Args:
            since: Only events after this number.
        """
        from visavis.gallery.records.history import events

        return events(self._store, since)

    def corrections(self, *, since: int = 0) -> Iterator[Correction]:
        """Which statements about people were taken back, and why, oldest first.

        Args:
            since: Only corrections after this number.
        """
        from visavis.gallery.records.history import corrections

        return corrections(self._store, since)

    def changes(self, since: int, *, page: int = 10_000) -> Iterator[Changes]:
        """What an index takes in to follow the gallery: the rows of people who changed, and who is gone.

        A row is a person: the mean of the samples weighted by quality, at unit length; of one sample, that sample's
        template. The last page's revision is the one from which to go on. Each page sees one state; whoever changes
        between two pages comes once more, later. To take a page in twice does no harm.

        Args:
            since: Revision up to which the index has followed; 0 gives all.
            page: Most people a page.

        Yields:
            At least one page.

        Raises:
            SpaceError: ``gallery.space``: the gallery was migrated since it was opened.
        """
        from visavis.gallery.records.feed import changes

        return changes(self._store, since, page)


def _reason(reason: str) -> str:
    why = check_text(reason, "reason")
    assert why is not None
    return why


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"
