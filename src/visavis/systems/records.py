"""The stored results of the published systems, as ``benchmarks/publish_systems.py`` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from visavis import registry
from visavis.cards import SystemCard
from visavis.errors import InternalError

_PACKAGED = Path(__file__).parent / "stored"
_CHECKOUT = Path(__file__).parents[3] / "docs" / "results" / "systems"


def stored(name: str) -> dict[str, Any] | None:
    """The stored record of a system, or None where there is none.

    It lies in ``docs/results/systems`` of a checkout, and beside this module in an installed package.

    Args:
        name: The short name: ``elasticface``.

    Raises:
        InternalError: The file is damaged.
    """
    for folder in (_PACKAGED, _CHECKOUT):
        path = folder / f"{name}.json"
        if path.is_file():
            try:
                record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise InternalError(f"the stored result {path} is damaged ({error}); install visavis again") from error
            return record
    return None


def card_of(name: str) -> SystemCard:
    """The card of a system by its full or short name.

    Raises:
        ModelError: The name is unknown or ambiguous.
        InternalError: The registry entry is no card.
    """
    card = registry.load(registry.resolve(name, kind="system"))
    if not isinstance(card, SystemCard):
        raise InternalError(f"the registry entry {name} is no system card but {type(card).__name__}")
    return card


def states() -> list[dict[str, Any]]:
    """One row for each published system: its card in short, its last stored result and its pass rate.

    ``result`` and ``pass_rate`` are None for a system without a stored result.
    """
    return [_state(name) for name in registry.names("system/*")]


def _state(name: str) -> dict[str, Any]:
    entry = registry.describe(name)
    card = card_of(name)
    record = stored(card.short)
    return {
        "name": name,
        "title": card.title,
        "line": entry.line,
        "extra": entry.extra,
        "state": "implemented" if record is None else "measured",
        "implemented": list(card.implemented),
        "result": None if record is None else _short(record),
        "pass_rate": None if record is None else record["pass_rate"],
    }


def _short(record: dict[str, Any]) -> dict[str, Any]:
    run = record["runs"][0]
    keys = ("value", "baseline", "threshold", "passed", "seconds", "seeds", "budget")
    return {"date": record["date"], "commit": record["commit"], **{key: run[key] for key in keys}}
