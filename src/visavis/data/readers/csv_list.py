"""A CSV list of pictures with labels."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from visavis.data.readers.collection import Record, collection_error
from visavis.errors import UnreadableError
from visavis.io.files import read_file
from visavis.io.fingerprints import file_state, hashed
from visavis.io.source import Source
from visavis.io.stores import FolderStore, TarStore, cached_tar, open_store

_PATHS = ("path", "file", "image")
_LABELS = ("label", "identity", "person")


class CsvList:
    """The pictures of a CSV file with a header: ``path,label`` and any further columns, in any order.

    ``file`` or ``image`` may stand for ``path``, ``identity`` or ``person`` for ``label``. A path is relative to the
    folder of the list, absolute, or ``archive.tar::member``; with ``images`` it is a name in that folder or archive.

    Args:
        path: The list, UTF-8.
        images: Folder or archive that the paths are names in.

    Raises:
        InputError: No such columns, a row that lacks one, no rows, or a list that cannot be read.
    """

    def __init__(self, path: str | Path, *, images: str | Path | None = None) -> None:
        self.path = str(path)
        self._store: TarStore | FolderStore | None = None if images is None else open_store(images)
        self._images = None if images is None else str(images)
        header, rows = read_table(self.path)
        name, label = column_of(self.path, header, _PATHS), column_of(self.path, header, _LABELS)
        self._rows = [(row[name], row[label]) for row in rows]
        empty = next((number for number, row in enumerate(self._rows, start=2) if not all(row)), None)
        if empty is not None:
            raise collection_error(self.path, f"row {empty} has no path or no label")
        if not self._rows:
            raise collection_error(self.path, "the list has a header and no rows")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: int) -> Record:
        name, label = self._rows[row]
        try:
            source = self._source(name)
        except UnreadableError as error:
            source = Source.refused(name, error)
        return Record(name, label, source)

    def records(self) -> Iterator[Record]:
        """All pictures in order."""
        return (self[row] for row in range(len(self)))

    def fingerprint(self) -> str:
        """See `Collection.fingerprint`."""
        texts = [text for row in self._rows for text in row]
        if self._images is not None and isinstance(self._store, TarStore):
            return hashed([file_state(self._images), *texts])
        top = Path(self.path).parent if self._images is None else Path(self._images)
        return hashed([*texts, *(file_state(top / name.partition("::")[0]) for name, _ in self._rows)])

    def _source(self, name: str) -> Source:
        if self._store is not None:
            return self._store.get(name)
        archive, inside, member = name.partition("::")
        place = Path(self.path).parent / archive
        return cached_tar(place).get(member) if inside else Source.of_file(place)


def read_table(path: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a CSV file, every row as long as the header.

    Raises:
        InputError: It cannot be read, is empty, or has a row of another length.
    """
    try:
        text = read_file(path).decode("utf-8-sig")
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except (UnreadableError, UnicodeDecodeError, csv.Error) as error:
        raise collection_error(path, f"cannot be read as a CSV list ({error})") from error
    if not rows:
        raise collection_error(path, "the list is empty; it needs a header")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(rows[0]):
            raise collection_error(path, f"row {number} has {len(row)} columns; the header has {len(rows[0])}")
    return rows[0], rows[1:]


def column_of(path: str, header: Sequence[str], accepted: Sequence[str]) -> int:
    """The place of the column with one of these names.

    Raises:
        InputError: There is none, or more than one.
    """
    found = [place for place, name in enumerate(header) if name.strip().lower() in accepted]
    if len(found) != 1:
        raise collection_error(
            path, f"the header {','.join(header)[:200]} needs exactly one column of {', '.join(accepted)}"
        )
    return found[0]
