"""Hook of this site: ``reference/losses.md`` lists the losses, as the registry and the folder have them.

A loss that is added appears by itself, under its names, with the docstrings of its functions and its class.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from visavis import losses
from visavis.losses._entries import ENTRIES

PAGE = "reference/losses.md"
HERE = "<!-- every loss of the registry -->"
SHARED = "<!-- what the losses share -->"

_OPTIONS = """
    options:
      heading_level: 3
      show_root_heading: false
      show_root_toc_entry: false
"""


def modules() -> dict[str, list[str]]:
    """Module -> its names in the registry, in the order of the table."""
    found: dict[str, list[str]] = {}
    for name, (target, _, _) in ENTRIES.items():
        found.setdefault(target.partition(":")[0], []).append(name)
    return found


def shared() -> list[str]:
    """The other public modules of the room."""
    folder = Path(losses.__file__).parent
    every = {f"visavis.losses.{path.stem}" for path in folder.glob("[a-z]*.py")}
    return sorted(every - set(modules()))


def table() -> str:
    """All names, with their line of the registry."""
    rows = ["| name | what |", "|---|---|"]
    for module, names in modules().items():
        anchor = module.rpartition(".")[2]
        rows += [f"| [`{name}`](#{anchor}) | {ENTRIES[name][2]} |" for name in names]
    return "\n".join(rows)


def _section(module: str, title: str) -> str:
    return f"## {title} {{ #{module.rpartition('.')[2]} }}\n\n::: {module}{_OPTIONS}"


def on_page_markdown(markdown: str, page: Any, **kwargs: Any) -> str:
    """Called for each page before it is turned to HTML."""
    if page.file.src_uri != PAGE:
        return markdown
    sections = [_section(module, ", ".join(f"`{name}`" for name in names)) for module, names in modules().items()]
    others = [_section(module, f"`{module.removeprefix('visavis.')}`") for module in shared()]
    return markdown.replace(HERE, "\n\n".join([table(), *sections])).replace(SHARED, "\n\n".join(others))
