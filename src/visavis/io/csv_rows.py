"""Rows of a list as the bytes of a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_BOTH = "\r\n"
_AT_ONCE = 500


def csv_rows(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> bytes:
    """A header and rows as CSV in UTF-8, each line ended by one line feed.

    Names of files that are not UTF-8, which Python holds with surrogate escapes, become the bytes that they are on
    the disk.

    Args:
        header: Names of the columns.
        rows: The values of each row, in the order of the columns; None becomes an empty field.
    """
    return b"".join(csv_pieces(header, rows))


def csv_pieces(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> Iterator[bytes]:
    """As `csv_rows`, some rows at a time: for tables that are larger than the memory one wants to spend."""
    lines: list[str] = []
    writer = csv.writer(_Lines(lines), lineterminator=_BOTH)
    writer.writerow(header)
    for row in rows:
        writer.writerow(row)
        if len(lines) >= _AT_ONCE:
            yield "".join(lines).encode("utf-8", "surrogateescape")
            lines.clear()
    yield "".join(lines).encode("utf-8", "surrogateescape")


class _Lines:
    """Takes lines as the writer ends them and ends them by one line feed.

    The writer quotes the letters of its own line ending alone; with both of them a carriage return in a name is quoted
    as well, which readers would take for the end of a line otherwise.
    """

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, line: str) -> None:
        """One whole line."""
        self._lines.append(f"{line.removesuffix(_BOTH)}\n")
