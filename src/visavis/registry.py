"""The one registry: create, names, describe over tables of data.

Each room has a module ``_entries.py`` with a literal table ``ENTRIES``: name -> (``"module:attribute"``,
extra, one line). Nothing is imported until it is created. Other packages add tables through the
entry-point group ``visavis.registry``; an entry point's value names such a table.
"""

from __future__ import annotations

import difflib
import fnmatch
import importlib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from visavis.errors import DependencyError, ModelError, UsageError

Table = dict[str, tuple[str, str, str]]

_ROOMS = (
    "nn", "losses", "detection", "alignment", "recognition", "quality", "explain", "pipeline", "training.recipes",
    "systems",
)  # fmt: skip
ENTRY_POINTS = "visavis.registry"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the registry.

    Attributes:
        name: ``kind/arch.tag``.
        target: ``module:attribute``.
        extra: The extra that installs what it needs; empty for none.
        line: What it is, in one line.
    """

    name: str
    target: str
    extra: str
    line: str

    @property
    def kind(self) -> str:
        """The part before the slash."""
        return self.name.partition("/")[0]


def _add(table: dict[str, Entry], entries: Table, origin: str) -> None:
    for name, (target, extra, line) in entries.items():
        if name in table:
            raise UsageError(f"the registry name {name!r} of {origin} is taken by {table[name].target}; rename one")
        table[name] = Entry(name, target, extra, line)


@cache
def _table() -> dict[str, Entry]:
    table: dict[str, Entry] = {}
    for room in _ROOMS:
        module = importlib.import_module(f"visavis.{room}._entries")
        _add(table, module.ENTRIES, f"visavis.{room}")
    for point in entry_points(group=ENTRY_POINTS):
        _add(table, point.load(), point.value)
    return table


def names(pattern: str = "*") -> list[str]:
    """All names that match a glob, sorted: ``names("embedder/*")``."""
    return sorted(name for name in _table() if fnmatch.fnmatchcase(name, pattern))


def resolve(name: str, *, kind: str | None = None) -> str:
    """The full name of a short one.

    ``embedder/sface.2021dec`` stays; ``embedder/sface`` and, with ``kind="embedder"``, ``sface`` become it
    when exactly one entry begins so.

    Raises:
        ModelError: No entry, or more than one; the message offers spellings.
    """
    table = _table()
    wanted = name if "/" in name or kind is None else f"{kind}/{name}"
    if wanted in table:
        return wanted
    begins = [full for full in table if full.startswith(wanted + ".")]
    if kind is None and "/" not in name:
        begins += [full for full in table if full.partition("/")[2].partition(".")[0] == name]
    if len(begins) == 1:
        return begins[0]
    if begins:
        raise ModelError(f"{name!r} could be {' or '.join(sorted(begins))}; write one of them", reason="model.unknown")
    known = names(f"{kind}/*" if kind else "*")
    shorts = {full.partition("/")[2].partition(".")[0]: full for full in known}
    shorts |= {full.partition("/")[2]: full for full in known} | {full: full for full in known}
    close = difflib.get_close_matches(name, shorts, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(shorts[word] for word in close)}?" if close else f"known: {', '.join(known)}"
    raise ModelError(f"no entry {name!r} in the registry; {hint}", reason="model.unknown")


def describe(name: str) -> Entry:
    """The entry of a full or short name.

    Raises:
        ModelError: The name is unknown or ambiguous.
    """
    return _table()[resolve(name)]


def load(name: str) -> Any:
    """The object behind a name, not called: a class, a function or a card.

    Raises:
        ModelError: The name is unknown or ambiguous.
        DependencyError: The extra it needs is not installed.
    """
    entry = describe(name)
    module, _, attribute = entry.target.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if not entry.extra or (error.name or "").partition(".")[0] == module.partition(".")[0]:
            raise
        raise DependencyError(
            f"{entry.name} needs the package {error.name!r}, which is not installed; run: "
            f"pip install 'visavis[{entry.extra}]'"
        ) from error


def create(name: str, **options: Any) -> Any:
    """Build the thing behind a name: calls the class, function or card with the options.

    Raises:
        ModelError: The name is unknown or ambiguous.
        UsageError: An option that the thing does not take.
    """
    target = load(name)
    try:
        return target(**options)
    except TypeError as error:
        if "unexpected keyword argument" in str(error) or "positional-only arguments passed" in str(error):
            raise UsageError(f"{name}: {error}") from error
        raise
