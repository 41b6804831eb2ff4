"""An open gallery: what all that is done with one stands on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from visavis.gallery.info import GalleryInfo
from visavis.types import TemplateSpace

if TYPE_CHECKING:
    from visavis.gallery.records.store import Store


class OpenGallery:
    """The file of a gallery, and what it is.

    Attributes:
        path: The file.
        uuid: Of the gallery, for as long as it lives.
        space: Of its templates.
    """

    def __init__(self, store: Store, info: GalleryInfo) -> None:
        self._store = store
        self._keep_crops = info.keep_crops
        self.path: Path = store.path
        self.uuid: str = info.uuid
        self.space: TemplateSpace = info.space

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

    @property
    def is_wiped(self) -> bool:
        """Whether no copy is left, in the file and its write-ahead log, of what was erased.

        Erasing zeroes rows, writes files of up to 16 MiB anew and empties the log; `Gallery.purge` writes a file of any
        size anew. None of it can be done while other programs read or write: later calls and `close` try again.
        """
        return self._store.is_wiped

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One write of all that this thread does with the gallery in the block: all of it is kept, or nothing.

        Nothing is kept when an error leaves the block; one that is caught inside may leave half of its call.
        Others read on meanwhile, and their writes wait, for 30 s at most: keep the block short. It has one revision.
        """
        with self._store.write():
            yield
