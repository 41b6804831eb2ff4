"""Feed: what an index follows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from visavis.gallery.changes import Changes
from visavis.types import TemplateSpace


class FeedInfo(Protocol):
    """What an index must know of a feed: whose it is, and what its vectors may be compared with."""

    @property
    def uuid(self) -> str:
        """Of the gallery, for as long as it lives."""
        ...

    @property
    def space(self) -> TemplateSpace:
        """Of all its vectors."""
        ...


class Feed(Protocol):
    """One vector a person, and what changed since a revision. `visavis.gallery.gallery.Gallery` is one."""

    @property
    def path(self) -> Path | None:
        """The file of the gallery; derived files lie beside it. None for a feed in memory."""
        ...

    @property
    def info(self) -> FeedInfo:
        """Whose vectors these are."""
        ...

    @property
    def revision(self) -> int:
        """Grows with every write that changes vectors."""
        ...

    def changes(self, since: int, *, page: int = 10_000) -> Iterator[Changes]:
        """All that changed after a revision, in pages that may be taken in one after the other."""
        ...

    def last_write(self) -> str:
        """Names the last write that changed vectors, or a later one."""
        ...

    def has_write(self, write: str) -> bool:
        """Whether that write is in the history; not when an older copy was put back and written past it."""
        ...
