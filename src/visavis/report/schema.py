"""The JSON Schema of a case record."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

SCHEMA_ID = "urn:visavis:case:1"
"""Names the form of a record; the number rises when a reader of the old form could go wrong."""


def case_schema() -> dict[str, Any]:
    """The schema, JSON Schema draft 2020-12; every property is described, none may be missing, no other may occur."""
    schema: dict[str, Any] = json.loads(files("visavis.report").joinpath("schema.json").read_text(encoding="utf-8"))
    return schema
