"""A gallery as a whole: all samples one after the other, and templates of another model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visavis.gallery.open_gallery import OpenGallery
from visavis.gallery.sample import StoredSample
from visavis.types import Provenance, TemplateSpace

if TYPE_CHECKING:
    from visavis.gallery.records.loader import Loader
    from visavis.gallery.records.snapshot import Snapshot


class GalleryTransfer(OpenGallery):
    """What `visavis.gallery.gallery.Gallery` does to be copied and moved to another model."""

    def stored_samples(self, *, after: int = 0, page: int = 500, crops: bool = True) -> Iterator[StoredSample]:
        """All samples in the order of their numbers, with templates and crops.

        They are read in pages, each a state of its own: what is added meanwhile comes at the end.

        Args:
            after: Only samples beyond this number.
            page: How many are read at a time.
            crops: Whether crops are read too.
        """
        from visavis.gallery.records.transfer import stored

        return stored(self._store, after, page, crops=crops)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """All rows as they are at one moment, for the block; writers go on meanwhile."""
        from visavis.gallery.records.snapshot import Snapshot

        with self._store.read() as transaction:
            yield Snapshot(transaction, self.path)

    @contextmanager
    def loader(self, *, whole: bool) -> Iterator[Loader]:
        """Takes rows of another gallery in, in one write at the end of the block; all of them or none.

        Args:
            whole: This gallery is empty and becomes a copy; see `visavis.gallery.records.loader.Loader`.
        """
        from visavis.gallery.records.loader import Loader

        with self._store.write() as transaction:
            yield Loader(transaction, whole=whole)

    def without_template(self, space: TemplateSpace, *, after: int = 0, limit: int = 500) -> list[StoredSample]:
        """The first samples that have no template of another space yet, with their crops.

        Args:
            space: To which the gallery is to be moved.
            after: Only samples beyond this number: all before need not be looked through again.
            limit: Most samples.
        """
        from visavis.gallery.records.transfer import without_template

        with self._store.read() as transaction:
            return without_template(transaction, space.fingerprint, after, limit)

    def count_without_template(self, space: TemplateSpace) -> int:
        """How many samples have no template of another space yet."""
        from visavis.gallery.records.transfer import count_without_template

        with self._store.read() as transaction:
            return count_without_template(transaction, space.fingerprint)

    def add_templates(
        self, space: TemplateSpace, samples: Sequence[int], vectors: NDArray[np.float32], norms: NDArray[np.floating]
    ) -> int:
        """Put templates of another space beside those of the gallery.

        Args:
            space: Of the templates.
            samples: Numbers of the samples; those that are gone meanwhile are left out.
            vectors: float32 ``(N, D)``, unit norm, D that of the space.
            norms: Of the raw embeddings ``(N,)``.

        Returns:
            How many were put down; those that were there stay as they are.

        Raises:
            UsageError: Vectors that are not of unit norm, or the space of the gallery itself.
        """
        from visavis.gallery.records import transfer

        checked = transfer.check_templates(space, samples, vectors, norms, own=self.fingerprint)
        with self._store.write() as transaction:
            return transfer.add_templates(transaction, space.fingerprint, samples, checked, norms)

    def drop_templates(self, space: TemplateSpace) -> int:
        """Erase the templates of another space.

        Returns:
            How many there were.

        Raises:
            UsageError: It is the space of the gallery itself.
        """
        from visavis.gallery.records.transfer import drop_templates

        with self._store.write() as transaction:
            return drop_templates(transaction, space.fingerprint)

    def switch_space(self, space: TemplateSpace, *, made_by: Provenance, keep_old: bool = False) -> None:
        """Make another space the gallery's own, in one write; every sample must have a template of it.

        Other objects that have the gallery open are refused from here on with `SpaceError`; this one goes on.

        Args:
            space: Of templates that `add_templates` put down.
            made_by: Model and engine that made them.
            keep_old: Whether the templates of the space before stay beside.

        Raises:
            InputError: ``gallery.unfinished``: samples without such a template.
        """
        from visavis.gallery.records.transfer import switch_space

        with self._store.write() as transaction:
            switch_space(transaction, space, made_by=made_by, keep_old=keep_old)
        self._store.expected = space.fingerprint
        self.space = space
        self._store.wipe()

    def note(self, what: str, **detail: Any) -> None:
        """Put down an event of one's own.

        Args:
            what: Up to 32 characters, for example ``imported``.
            detail: JSON without personal data: ids, counts, names of models.
        """
        from visavis.gallery.accepted import check_metadata, check_reason

        kept = check_metadata(detail)
        with self._store.write() as transaction:
            transaction.log(check_reason(what)[:32], **kept)
