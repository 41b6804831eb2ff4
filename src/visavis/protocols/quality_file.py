"""Qualities from elsewhere: a CSV file with a row a picture."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from visavis.errors import InputError, UnreadableError
from visavis.io.files import read_file

_ACCEPTED = "accepted is CSV with the header image,NAME,...: a picture of the list, and numbers, higher is better"


def read_qualities(path: str | Path, images: Iterable[str]) -> dict[str, dict[str, float]]:
    """The columns of a CSV file with the header ``image,NAME,...``: by name, the value of each picture.

    Args:
        path: The file, UTF-8. Values are numbers, higher is better; an empty field is no value. Pictures are named as
            in the list; others of the file are ignored.
        images: Names of the pictures of the list.

    Raises:
        UnreadableError: The file is missing, not readable or not UTF-8.
        InputError: Not such a file, a value that is no number, or none of the pictures.
    """
    rows = _rows(Path(path))
    header = next(rows, [])
    names = [name.strip() for name in header[1:]]
    if not header or header[0].strip() != "image" or not all(names) or not names or len({*names}) < len(names):
        raise _wrong(path, 1, f"got the header {','.join(header)[:80]!r}")
    wanted = frozenset(images)
    found: dict[str, dict[str, float]] = {name: {} for name in names}
    for number, row in enumerate(rows, start=2):
        if not row or row[0] not in wanted:
            continue
        if len(row) != len(header):
            raise _wrong(path, number, f"{len(row)} fields for {len(header)} columns")
        for name, field in zip(names, row[1:], strict=True):
            if field.strip():
                found[name][row[0]] = _value(path, number, field)
    if not any(found.values()):
        raise InputError(f"{path} has a value for none of the {len(wanted)} pictures of the list; {_ACCEPTED}")
    return found


def _rows(path: Path) -> Iterator[list[str]]:
    try:
        lines = read_file(path).decode("utf-8-sig").splitlines(keepends=True)
    except UnreadableError as error:
        raise UnreadableError(f"cannot read the qualities {error.message}", reason=error.reason) from error
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{path} is not UTF-8 text (byte {error.start}); {_ACCEPTED}") from error
    try:
        return iter(list(csv.reader(lines)))
    except csv.Error as error:
        raise InputError(f"{path} is not valid CSV ({error}); {_ACCEPTED}") from error


def _value(path: str | Path, line: int, field: str) -> float:
    try:
        value = float(field)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _wrong(path, line, f"{field[:40]!r} is not a number")
    return value


def _wrong(path: str | Path, line: int, what: str) -> InputError:
    return InputError(f"{path}, line {line}: {what}; {_ACCEPTED}")
