"""What all readers of labelled pictures share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from visavis.errors import InputError
from visavis.io.source import Source


@dataclass(frozen=True, slots=True)
class Record:
    """One labelled picture that has been found but not read.

    Attributes:
        name: The picture's name in its collection.
        identity: Whom it shows, as the collection writes it.
        source: The picture.
    """

    name: str
    identity: str
    source: Source


class Collection(Protocol):
    """Labelled pictures by number; safe to share between threads.

    Attributes:
        path: Where it is, for messages and the people ledger.
    """

    path: str

    def __len__(self) -> int:
        """The number of pictures."""
        ...

    def __getitem__(self, row: int) -> Record:
        """The picture of that number, 0..N-1."""
        ...

    def records(self) -> Iterator[Record]:
        """All pictures in order."""
        ...

    def fingerprint(self) -> str:
        """sha256, hexadecimal, of what the collection holds, by names, labels, sizes and times of files."""
        ...


def collection_error(path: str, detail: str) -> InputError:
    """The error for a collection that cannot be read as what it should be."""
    return InputError(f"{path}: {detail}", reason="collection")
