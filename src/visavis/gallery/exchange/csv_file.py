"""Embeddings as CSV, one row a face: ``person, image, box_0 ... vector_0 ...``."""

from __future__ import annotations

import csv
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.gallery.exchange.columns import BOX, NUMBERS, TEXTS, VECTORS, columns_of, embeddings_of
from visavis.gallery.exchange.embeddings import LONGEST, Embeddings, PersonRule, wrong
from visavis.gallery.exchange.target import no_database
from visavis.io.atomic import write_output
from visavis.io.csv_rows import csv_pieces
from visavis.io.files import open_regular

_FORMULA = "=+-@\t\r\n'\uff1d\uff0b\uff0d\uff20"
"""What begins a formula in a spreadsheet, and the mark that keeps it from being one."""
_MOST_COLUMNS = LONGEST + 100
_NUMBERED = re.compile(r"(box|vectors?)_([0-9]{1,5})")
_SPLIT = re.compile(r"[\s,;]+")


def read_csv_embeddings(path: str | Path, *, person: PersonRule | None = None, several: bool = False) -> Embeddings:
    """The embeddings of a CSV file with a header.

    Columns are those of `embeddings_of`: a vector is either ``vector_0, vector_1 ...`` or one cell ``vector`` of
    numbers between brackets or not; a box is ``box_0`` to ``box_3``.

    Args:
        path: The file, UTF-8.
        person: How the name of a picture names a person, where the file names none.
        several: Whether rows of one id are samples of one person.

    Raises:
        UnreadableError: The file cannot be read.
        InputError: ``exchange.vectors``: it is no such table, or a row cannot be used.
        UsageError: A choice is needed; see `people_of_pictures`.
    """
    where = os.fspath(path)
    with _table(where) as (header, rows):
        return embeddings_of(where, _columns(where, header, rows), person=person, several=several)


def read_text_rows(path: str | Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a CSV file of texts, by column.

    Raises:
        UnreadableError: The file cannot be read.
        InputError: ``exchange.vectors``: it is no table with these columns.
    """
    where = os.fspath(path)
    with _table(where) as (header, rows):
        missing = [name for name in columns if name not in header]
        if missing:
            raise wrong(where, f"has no column {', '.join(missing)}; it has {', '.join(header)}")
        found = []
        for number, row in enumerate(rows):
            if len(row) != len(header):
                raise wrong(where, f"has {len(row)} cells in row {number} (counted from 0), {len(header)} are due")
            found.append({name: meant(row[header.index(name)]) for name in columns})
        return found


@contextmanager
def _table(where: str) -> Iterator[tuple[list[str], Iterator[list[str]]]]:
    """Header and rows of a file; what goes wrong with either is told in plain words."""
    with os.fdopen(open_regular(where), "r", encoding="utf-8-sig", newline="") as file:
        try:
            rows = _rows(where, file)
            header = next(rows, None)
            if header is None:
                raise wrong(where, "is empty; it needs a header")
            yield header, rows
        except UnicodeDecodeError as error:
            raise wrong(where, f"is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from error
        except csv.Error as error:
            raise wrong(where, f"is no CSV table ({error})") from error


def write_csv_embeddings(path: str | Path, found: Embeddings) -> Path:
    """Write faces as CSV.

    A cell that a spreadsheet would take for a formula gets an apostrophe in front; `read_csv_embeddings` takes it off.

    Raises:
        UsageError: The path cannot be written.
    """
    header: list[str] = []
    for name, values in columns_of(found).items():
        wide = isinstance(values, np.ndarray) and values.ndim == 2
        header += [f"{name}_{place}" for place in range(values.shape[1])] if wide else [name]
    return write_output(no_database(path), csv_pieces(header, _cells(found)))


def _cells(found: Embeddings) -> Iterator[list[str]]:
    """The cells of each row; nine digits give the same float32 again, and what is unknown is empty."""
    for values in zip(*columns_of(found).values(), strict=True):
        row: list[str] = []
        for value in values:
            if isinstance(value, str):
                row.append(harmless(value))
            else:
                numbers = np.atleast_1d(value).tolist()
                row += ["" if number != number else f"{number:.9g}" for number in numbers]
        yield row


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula: one that begins like it gets an apostrophe in front.

    Blanks and characters without a width do not count, and what follows a semicolon is a cell of its own to many.
    """
    return ";".join(f"'{part}" if _is_formula(part) else part for part in text.split(";"))


def meant(cell: str) -> str:
    """The text that `harmless` was given."""
    parts = cell.split(";")
    return ";".join(part[1:] if part[:1] == "'" and _is_formula(part[1:]) else part for part in parts)


def _is_formula(text: str) -> bool:
    """Whether the first letter that is no blank begins a formula."""
    first = next((letter for letter in text if letter in _FORMULA or not _is_blank(letter)), "")
    return first != "" and first in _FORMULA


def _is_blank(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter) in ("Cc", "Cf", "Zs")


def _rows(where: str, file: Any) -> Iterator[list[str]]:
    """The rows, none longer than it may be; blank lines are passed over."""
    reader = csv.reader(_lines(where, file), strict=True)
    for row in reader:
        if len(row) > _MOST_COLUMNS:
            raise wrong(where, f"has {len(row)} columns in line {reader.line_num}; at most {_MOST_COLUMNS} are read")
        if row:
            yield row


def _lines(where: str, file: Any) -> Iterator[str]:
    longest = _MOST_COLUMNS * 32
    number = 0
    while line := file.readline(longest):
        number += 1
        if len(line) == longest:
            raise wrong(where, f"has more than {longest} characters in line {number}; it is no table of embeddings")
        if "\x00" in line:
            raise wrong(where, f"has a NUL byte in line {number}; save it as plain UTF-8")
        yield line


def _columns(where: str, header: list[str], rows: Iterator[list[str]]) -> dict[str, Any]:
    layout = _Layout(where, header)
    columns: dict[str, list[Any]] = {name: [] for name in layout.names}
    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise wrong(where, f"has {len(row)} cells in row {number} (counted from 0) and {len(header)} columns")
        for name, value in layout.values(row, number):
            columns[name].append(value)
    return {name: values if name in layout.texts else _stacked(where, name, values) for name, values in columns.items()}


class _Layout:
    """Where the columns of a table stand."""

    def __init__(self, where: str, header: list[str]) -> None:
        if len(set(header)) < len(header):
            twice = next(name for place, name in enumerate(header) if name in header[:place])
            raise wrong(where, f"has the column {twice!r} twice")
        self.where = where
        self.texts = {name: place for place, name in enumerate(header) if name in TEXTS}
        self.single = {name: place for place, name in enumerate(header) if name in NUMBERS}
        self.groups = {name: places for name in (BOX, *VECTORS) if (places := _group(where, header, name))}
        self.joined = {name: header.index(name) for name in VECTORS if name in header and name not in self.groups}
        self.names = (*self.texts, *self.single, *self.groups, *self.joined)

    def values(self, row: list[str], number: int) -> Iterator[tuple[str, Any]]:
        """The values of a row, by column."""
        failed = "status" in self.texts and row[self.texts["status"]] != "ok"
        for name, place in self.texts.items():
            yield name, meant(row[place])
        for name, place in self.single.items():
            yield name, _number(self.where, name, row[place], number)
        for name, places in self.groups.items():
            yield name, _floats(self.where, name, [row[place] for place in places], number)
        for name, place in self.joined.items():
            yield name, _joined(self.where, name, row[place], number, failed=failed)


def _group(where: str, header: list[str], name: str) -> list[int]:
    """Places of ``name_0, name_1 ...`` in order."""
    numbered = {
        int(match[2]): place
        for place, column in enumerate(header)
        if (match := _NUMBERED.fullmatch(column)) and match[1] == name
    }
    if sorted(numbered) != list(range(len(numbered))):
        gap = next(index for index in range(len(numbered)) if index not in numbered)
        raise wrong(where, f"has {name}_{max(numbered)} and no {name}_{gap}")
    return [numbered[index] for index in range(len(numbered))]


def _number(where: str, name: str, cell: str, row: int) -> float:
    try:
        return float(cell) if cell else float("nan")
    except ValueError:
        raise wrong(where, f"has {cell[:40]!r} for {name} in row {row} (counted from 0); a number goes here") from None


def _floats(where: str, name: str, cells: list[str], row: int) -> NDArray[np.float32]:
    try:
        return np.array([cell or "nan" for cell in cells]).astype(np.float32)
    except ValueError as error:
        raise wrong(where, f"has a {name} in row {row} (counted from 0) that is no numbers ({error})") from None


def _joined(where: str, name: str, cell: str, row: int, *, failed: bool) -> NDArray[np.float32]:
    parts = [part for part in _SPLIT.split(cell.strip().strip("[]()").strip()) if part]
    if not parts and not failed:
        raise wrong(where, f"has no {name} in row {row} (counted from 0); numbers go here, such as [0.1, 0.2]")
    return _floats(where, name, parts, row)


def _stacked(where: str, name: str, values: list[Any]) -> NDArray[np.float32]:
    if not values or not isinstance(values[0], np.ndarray):
        return np.array(values, np.float32)
    longest = max(len(value) for value in values)
    for row, value in enumerate(values):
        if not len(value):
            values[row] = np.full(longest, np.nan, np.float32)
        elif len(value) != longest:
            raise wrong(where, f"has {len(value)} values of {name} in row {row} (counted from 0), others {longest}")
    return np.stack(values)
