"""Which pictures of a collection are used: by the role of their people, and without those on a list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.data.data_set import NO_SET, SetBy, data_set_of
from visavis.data.readers.collection import Collection, collection_error
from visavis.data.readers.csv_list import column_of, read_table
from visavis.errors import InputError, UnreadableError, UsageError
from visavis.io.files import is_file, read_file
from visavis.protocols.labelled import named_pictures
from visavis.protocols.ledger import ROLES, Ledger

ANY = "any"
_PATHS = ("path", "file", "image", "name")


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """What is used of a collection.

    Attributes:
        rows: int64 ``(N,)``, numbers of the pictures, rising.
        people: Identity of each.
        set_name: The data set by the ledger's name; None when it is not known, or none.
        set_by: How it is known; see `visavis.data.data_set.DataSet`.
        roles: Number of people used, by role; ``unlisted`` for those the ledger does not know.
        left_out: Number of people left out because of their role, by role.
        without: Number of pictures of the role that a list left out.
        ledger: sha256 of the ledger.
    """

    rows: NDArray[np.int64]
    people: tuple[str, ...]
    set_name: str | None
    set_by: SetBy | None
    roles: dict[str, int]
    left_out: dict[str, int]
    without: int
    ledger: str


def select(
    collection: Collection,
    *,
    role: str = "train",
    without: Sequence[str] = (),
    set_name: str | None = None,
    ledger: Ledger | None = None,
) -> Selected:
    """The pictures of people of one role; people whom the ledger does not know are taken.

    Args:
        collection: The pictures.
        role: A role of the ledger, or ``any`` for everybody; the roles are recorded either way.
        without: Names of pictures to leave out.
        set_name: The data set in the ledger, or ``none``; found by `data_set_of` when None.
        ledger: The people ledger; the one of visavis when None.

    Raises:
        UsageError: No such role or set, or a set that the people are not of.
        InputError: Nobody is left, or a name to leave out is not there.
    """
    book = ledger or Ledger.load()
    if role not in (*ROLES, ANY):
        raise UsageError(f"a role is one of {', '.join(ROLES)}, or {ANY} for everybody; got {role}")
    names, people = [], []
    for record in collection.records():
        names.append(record.name)
        people.append(record.identity)
    known = data_set_of(people, path=collection.path, inside=next(iter(names), ""), given=set_name, ledger=book)
    refused = named_pictures(names, without)
    rows, dropped = [], 0
    others: defaultdict[str, set[str]] = defaultdict(set)
    for row, (name, person) in enumerate(zip(names, people, strict=True)):
        its = book.role(known.name or "", person)
        if role != ANY and its not in (None, role):
            others[str(its)].add(person)
        elif name in refused:
            dropped += 1
        else:
            rows.append(row)
    left_out = {its: len(who) for its, who in sorted(others.items())}
    if not rows:
        told = ", ".join(f"{count} {its}" for its, count in left_out.items()) or "none by its role"
        coincidence = f", or --set {NO_SET} if their names are those of people of {known.name} by chance only"
        raise InputError(
            f"{collection.path} holds no picture of a person of role {role} (people left out: {told}; pictures left "
            f"out by a list: {dropped}); choose another --role or another list"
            f"{coincidence if known.by == 'people' else ''}",
            reason="labelled",
        )
    used = tuple(people[row] for row in rows)
    roles = book.roles(known.name, used)
    return Selected(np.array(rows, np.int64), used, known.name, known.by, roles, left_out, dropped, book.hash)


def read_without(given: str) -> list[str]:
    """The names of pictures to leave out, of one list.

    Args:
        given: ``list.csv``: all pictures of it; ``list.csv:COLUMN``: those with 1 or true in that column; names are in
            the column path, file, image or name. Any other file, as ``list.txt``: one name a line.

    Raises:
        InputError: It cannot be read, is not UTF-8, or has no such columns.
    """
    path, colon, column = given.rpartition(":")
    if not colon or "/" in column or column.lower().endswith((".csv", ".txt")) or is_file(given):
        path, column = given, ""
    if not column and not path.lower().endswith(".csv"):
        return _lines(path)
    header, rows = read_table(path)
    place = column_of(path, header, _PATHS)
    if not column:
        return [row[place] for row in rows]
    flag = column_of(path, header, (column.lower(),))
    return [row[place] for row in rows if row[flag].strip().lower() in ("1", "true")]


def merged_names(lists: Iterable[str]) -> list[str]:
    """The names on all lists, each once, sorted; see `read_without`."""
    return sorted({name for one in lists for name in read_without(one)})


def _lines(path: str) -> list[str]:
    try:
        lines = read_file(path).decode("utf-8-sig").splitlines()
    except (UnreadableError, UnicodeDecodeError) as error:
        raise collection_error(path, f"cannot be read as a list of names, one a line ({error})") from error
    return [line.strip() for line in lines if line.strip()]
