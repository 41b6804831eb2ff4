"""Writing a case report, whole or not at all."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from visavis.errors import UsageError
from visavis.io.atomic import write_output
from visavis.io.encode import to_bytes
from visavis.io.files import is_folder
from visavis.pipeline.case import Case
from visavis.report.page import case_html
from visavis.report.pictures import case_pictures
from visavis.report.record import case_record
from visavis.report.sheet import case_png
from visavis.types import Explanation

SUFFIXES = (".html", ".png", ".json")
"""The endings of names that a report is written under."""


def check_case_path(path: str | Path) -> Path:
    """Refuse a report that could not be written, before any work is done.

    Raises:
        UsageError: Another ending, no such folder, or the path is a folder.
    """
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        raise UsageError(f"a report is written as {', '.join(SUFFIXES)}; got {target.name!r}")
    if not is_folder(target.parent):
        raise UsageError(f"there is no folder {target.parent} for {target.name}; make it first")
    if is_folder(target):
        raise UsageError(f"{target} is a folder; name a file in it")
    return target


def write_case(
    path: str | Path,
    case: Case,
    explanation: Explanation | None = None,
    *,
    explained: tuple[int, int] = (0, 0),
    command: str | None = None,
    time: datetime | None = None,
) -> Path:
    """Write the report of a comparison as its name ends: ``.html``, ``.png`` or ``.json``.

    Args:
        path: Where to; the folder must exist.
        case: What `Pipeline.examine` returned.
        explanation: What carried the similarity of one picture of each side; None leaves the maps out.
        explained: The rows of those two pictures in their sides; see `visavis.report.shown_rows`.
        command: How the comparison is repeated; made from the case when None.
        time: When the comparison was made; now when None.

    Returns:
        The path.

    Raises:
        UsageError: Another ending, or a path that cannot be written.
    """
    target = check_case_path(path)
    record = case_record(case, explanation, explained=explained, command=command, time=time)
    kind = target.suffix.lower()
    if kind == ".json":
        return write_output(target, _encoded(json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"))
    pictures = case_pictures(case, explanation, explained=explained)
    if kind == ".png":
        return write_output(target, to_bytes(case_png(record, pictures)))
    return write_output(target, _encoded(case_html(record, pictures)))


def _encoded(document: str) -> bytes:
    """UTF-8; a file name's bytes that are no text become question marks."""
    return document.encode("utf-8", "replace")
