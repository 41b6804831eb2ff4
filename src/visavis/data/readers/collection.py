"""What all readers of labelled pictures share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
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


def hashed(parts: Iterable[str]) -> str:
    """sha256 of texts in order, hexadecimal."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape")
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def file_state(path: str | Path) -> str:
    """Size and time of a file in one word; ``missing`` where there is none."""
    try:
        state = Path(path).stat()
    except (OSError, ValueError):
        return "missing"
    return f"{state.st_size}:{state.st_mtime_ns}"


def collection_error(path: str, detail: str) -> InputError:
    """The error for a collection that cannot be read as what it should be."""
    return InputError(f"{path}: {detail}", reason="collection")
