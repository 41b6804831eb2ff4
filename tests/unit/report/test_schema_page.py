"""The reference page of the record lists every property of the schema, as the schema says it."""

from pathlib import Path

import pytest

from visavis.report import case_schema

PAGE = Path(__file__).parents[3] / "docs/reference/case-record.md"
SCHEMA = case_schema()


def _kind(part):
    """One or two words for a type; a link to the section of a part that has one."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})"
    if "const" in part:
        return f"`{part['const']}`"
    if "anyOf" in part:
        return " or ".join(_kind(one) for one in part["anyOf"])
    if "enum" in part:
        return " or ".join(f"`{value}`" for value in part["enum"])
    if isinstance(part.get("additionalProperties"), dict):
        return f"object of {_kind(part['additionalProperties'])}"
    return f"array of {_kind(part['items'])}" if part["type"] == "array" else part["type"]


def _rows(properties, path=""):
    for name, part in properties.items():
        yield f"| `{path}{name}` | {_kind(part)} | {part['description']} |"
        for one in (part, *part.get("anyOf", ()), part.get("items", {})):
            yield from _rows(one.get("properties", {}), f"{path}{name}.")


def page():
    """The page, made of the schema."""
    head = ("| property | type | what |", "|---|---|---|")
    lines = [
        "# The case record",
        "",
        "What `verify --report FILE.json` writes; [the guide](../guides/report.md) says how to read it. This is the",
        f"JSON Schema `{SCHEMA['$id']}` (draft 2020-12) as a table; `visavis.report.case_schema()` gives the schema",
        "itself. No property may be missing, no other may occur; a value that is not known is null.",
        "",
        *head,
        *_rows(SCHEMA["properties"]),
    ]
    for name, part in sorted(SCHEMA["$defs"].items()):
        lines += ["", f"## {name}", "", part["description"], "", *head, *_rows(part["properties"])]
    return "\n".join(lines) + "\n"


def test_the_page_is_that_of_the_schema():
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("name", SCHEMA["$defs"])
def test_every_part_is_described(name):
    assert SCHEMA["$defs"][name]["description"] and f"(#{name})" in page()
