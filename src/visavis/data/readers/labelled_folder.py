"""A folder or a tar archive with one folder a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from visavis.data.readers.collection import Record, collection_error
from visavis.io.fingerprints import file_state, hashed
from visavis.io.stores import FolderStore, open_store
from visavis.protocols.labelled import person_of
from visavis.protocols.ledger import Ledger


class LabelledFolder:
    """The pictures below one folder a person, in the order of their names.

    A picture's person is the folder that the people ledger knows, else the folder it lies in.

    Args:
        path: A folder, or a tar archive.
        set_name: The data set in the people ledger; guessed from the path and the names when None.

    Raises:
        UnreadableError: Neither a folder nor an archive.
        InputError: There is no picture, or one lies in no folder.
    """

    def __init__(self, path: str | Path, *, set_name: str | None = None) -> None:
        self.path = str(path)
        self._store = open_store(path)
        self._names = self._store.names()
        if not self._names:
            raise collection_error(
                self.path, "there is no picture in it; give a folder or archive of one folder a person"
            )
        book = Ledger.load()
        known = set_name or book.guess_set(self.path) or book.guess_set(self._names[:1])
        self._people = [person_of(name, book, known) for name in self._names]

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, row: int) -> Record:
        return Record(self._names[row], self._people[row], self._store.get(self._names[row]))

    def records(self) -> Iterator[Record]:
        """All pictures in order."""
        return (self[row] for row in range(len(self)))

    def fingerprint(self) -> str:
        """See `Collection.fingerprint`."""
        if isinstance(self._store, FolderStore):
            states = (file_state(Path(self.path) / name) for name in self._names)
            return hashed(text for pair in zip(self._names, states, strict=True) for text in pair)
        return hashed([file_state(self.path), *self._names])
