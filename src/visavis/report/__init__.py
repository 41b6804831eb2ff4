"""The case report: one comparison, for somebody who must defend or contest it, as HTML, PNG or JSON.

The names are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visavis.report.evidence import case_evidence
    from visavis.report.page import case_html
    from visavis.report.pictures import CasePictures, case_pictures, shown_rows
    from visavis.report.record import case_record
    from visavis.report.schema import case_schema
    from visavis.report.sheet import case_png
    from visavis.report.write import check_case_path, write_case

__all__ = [
    "CasePictures",
    "case_evidence",
    "case_html",
    "case_pictures",
    "case_png",
    "case_record",
    "case_schema",
    "check_case_path",
    "shown_rows",
    "write_case",
]

_MODULES = {
    "evidence": ("case_evidence",),
    "page": ("case_html",),
    "pictures": ("CasePictures", "case_pictures", "shown_rows"),
    "record": ("case_record",),
    "schema": ("case_schema",),
    "sheet": ("case_png",),
    "write": ("check_case_path", "write_case"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """The public name, from the module that defines it."""
    if name not in _HOME:
        raise AttributeError(f"module 'visavis.report' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"visavis.report.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
