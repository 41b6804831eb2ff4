"""visavis systems: the published systems and their state."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from visavis.cli import options
from visavis.cli.output import console, print_json


def systems(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A system; its whole card is shown.")] = None,
    as_json: options.Json = False,
) -> None:
    """The published systems with their last stored result; with a name, the whole card.

    Examples: visavis systems; visavis systems elasticface --json
    """
    if name is not None:
        _show(name, as_json)
        return
    from visavis.systems.records import states

    rows = states()
    if as_json:
        print_json({"systems": rows})
    else:
        _print(rows)


def _show(name: str, as_json: bool) -> None:
    from visavis.systems.records import card_of, stored

    card = card_of(name)
    record = {**card.to_dict(), "stored": stored(card.short)}
    if as_json:
        print_json(record)
        return
    out = console()
    for key, value in card.to_dict().items():
        if value not in ("", (), [], {}):
            lines = [value] if isinstance(value, str) else list(value)
            if isinstance(value, dict):
                lines = [f"{name}: {', '.join(v) if isinstance(v, list) else v}" for name, v in value.items()]
            for row, line in enumerate(lines):
                out.print(f"{key if row == 0 else '':<14} {line}")


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("name", "state", "last result", "passed", "what"):
        table.add_column(column, overflow="fold")
    for row in rows:
        result, rate = row["result"], row["pass_rate"]
        told = "" if result is None else f"{result['value']:.3f} against {result['threshold']:.3f}"
        passed = "" if rate is None else f"{rate['passed']} of {rate['runs']}"
        table.add_row(row["name"], row["state"], told, passed, row["line"])
    out = console()
    out.print(table)
    out.print("Run one again: visavis reproduce NAME --data DIR --seed 0")
