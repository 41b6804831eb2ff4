"""A CSV list of people: ids, names, and what else is known."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from visavis.errors import InputError

if TYPE_CHECKING:
    from visavis.pipeline.person_details import PersonDetails


def read_people_table(path: str | Path) -> dict[str, PersonDetails]:
    """Name and metadata of people by id.

    Args:
        path: CSV in UTF-8 with a header: ``person``, and any of ``name`` and other columns, which become metadata as
            text. Empty fields are left out.

    Raises:
        UnreadableError: The file cannot be read.
        InputError: ``names``: it is no such table.
    """
    from visavis.gallery.accepted import one_form
    from visavis.io.files import read_file
    from visavis.pipeline.person_details import PersonDetails

    try:
        rows = csv.DictReader(io.StringIO(read_file(path).decode("utf-8-sig"), newline=""), strict=True)
        table = [dict(row) for row in rows]
    except (UnicodeDecodeError, csv.Error) as error:
        raise _refused(path, f"is no CSV in UTF-8 ({error})") from error
    header = list(rows.fieldnames or ())
    if "person" not in header or len(set(header)) != len(header):
        raise _refused(path, f"needs a header with the column person, each column once; got {','.join(header)!r}")
    found: dict[str, PersonDetails] = {}
    for line, row in enumerate(table, start=2):
        person = one_form(row.pop("person", None) or "")
        if not person or person in found or None in row or None in row.values():
            raise _refused(path, f"has in row {line} no person, one that was there before, or too few or many fields")
        name = row.pop("name", "") or None
        found[person] = PersonDetails(name, {key: value for key, value in row.items() if value} or None)
    return found


def _refused(path: str | Path, what: str) -> InputError:
    return InputError(f"{path} {what}; a list of people is a CSV with the columns person,name", reason="names")
