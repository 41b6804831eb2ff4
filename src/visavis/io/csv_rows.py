"""Rows of a list as the bytes of a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any


def csv_rows(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> bytes:
    """A header and rows as CSV in UTF-8, each line ended by one line feed.

    Names of files that are not UTF-8, which Python holds with surrogate escapes, become the bytes that they are on
    the disk.

    Args:
        header: Names of the columns.
        rows: The values of each row, in the order of the columns; None becomes an empty field.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue().encode("utf-8", "surrogateescape")
