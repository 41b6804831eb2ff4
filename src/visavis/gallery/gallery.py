"""Gallery: people and their faces in one file."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from visavis.gallery.accepted import check_text
from visavis.gallery.changes import Changes
from visavis.gallery.consent import check_moment
from visavis.gallery.event import Correction, Event
from visavis.gallery.gallery_people import GalleryPeople
from visavis.gallery.gallery_samples import GallerySamples
from visavis.gallery.gallery_transfer import GalleryTransfer
from visavis.gallery.info import Storage
from visavis.io._unreadable import printable
from visavis.types import Provenance, TemplateSpace


class Gallery(GalleryPeople, GallerySamples, GalleryTransfer):
    """People and their faces in one SQLite file; safe to share between threads, and open in several processes at once.

    A write is in the file, and on the disk, when its call returns; a process that is killed leaves the state before or
    after a write. One write is done at a time; others wait for it, readers do not. Nothing of an index is in the file:
    it follows `changes`.

    Galleries are made by `Gallery.create` and opened by `Gallery.open`.
    """

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

        user = _user(who)
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

        return cls(*open_store(Path(path), who=_user(who), space=space))

    def purge(self, *, now: datetime | None = None) -> list[str]:
        """Erase everybody who expired or withdrew consent, with all samples, templates and crops.

        Where anything was erased since the last time, the file is written anew, which takes as much room again for a
        moment, and its write-ahead log is emptied; see `is_wiped`. An index beside the file lets go of what is gone
        when it is next refreshed.

        Args:
            now: The moment that counts, with a time zone; this one when None.

        Returns:
            The ids of those who are gone.
        """
        from visavis.gallery.records import corrections

        check_moment(now, "now")
        with self._store.write() as transaction:
            gone = corrections.purge(transaction, transaction.now if now is None else now)
        self._store.wipe(whole=True)
        return gone

    def check(self) -> list[str]:
        """What is wrong, in plain words; an empty list is a clean gallery.

        The database and its references, the length and norm of every template, the pooled templates against the
        samples, counters; crops are not decoded. Lines that begin with ``warning:`` are about people and pictures, not
        about the file: one face under two people, people who should be purged.

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

    def last_write(self) -> str:
        """Names the last write; no other write of any copy of this gallery has that name."""
        from visavis.gallery.records.last_write import last_write

        return last_write(self._store)

    def has_write(self, write: str) -> bool:
        """Whether a write that `last_write` named is in the history of this gallery.

        It is not when an older copy was put back after that write, whatever was written since.
        """
        from visavis.gallery.records.last_write import has_write

        return has_write(self._store, write)


def _user(given: str | None) -> str:
    """The user to whom events are put down."""
    if given is not None:
        return check_text(given, "name of the user") or given
    try:
        return printable(getpass.getuser()) or "unknown"
    except (KeyError, OSError, ImportError):
        return "unknown"
