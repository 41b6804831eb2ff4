"""visavis reproduce: run the experiment of a published system."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visavis.cli import options
from visavis.cli.output import console, print_json, progress
from visavis.cli.tables import check_folder
from visavis.errors import UsageError

if TYPE_CHECKING:
    from visavis.systems.result import Result


def reproduce(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A system; see `visavis systems`.")],
    data: Annotated[Path, typer.Option("--data", help="The data folder, with orl/orl.tar and the like.")],
    seed: Annotated[int, typer.Option("--seed", help="First seed; repetitions take the next ones.")] = 0,
    budget: Annotated[str, typer.Option("--budget", help="quick or full.")] = "quick",
    out: Annotated[Path | None, typer.Option("--out", help="Write the result here as well: NAME.json.")] = None,
    as_json: options.Json = False,
) -> None:
    """Run the experiment that shows the claim of a published system, and check it.

    A check that fails is an answer: the exit code is 0 and passed is false.

    Example: visavis reproduce elasticface --data data/ --seed 0 --json
    """
    from visavis.io.atomic import write_output
    from visavis.systems.records import card_of

    if out is not None and out.suffix.lower() != ".json":
        raise UsageError(f"a result is a JSON file, --out NAME.json; got {out}")
    check_folder(out)
    card = card_of(name)
    with progress(f"reproducing {card.short}") as advance:
        result: Result = card.reproduce(data, seed=seed, budget=budget, progress=advance)
    record = result.to_dict()
    if out is not None:
        write_output(out, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())
    if as_json:
        print_json(record)
    else:
        _print(result)
        if out is not None:
            console().print(f"written to {out}")


def _print(result: Result) -> None:
    from rich.table import Table

    target = console()
    seeds = " ".join(map(str, result.seeds))
    verdict = "PASSED" if result.passed else "NOT PASSED"
    target.print(f"{verdict}: {result.name}, {result.budget}, seeds {seeds}, {result.seconds:.0f} s")
    table = Table(box=None, pad_edge=False)
    for column in ("check", "value", "", "threshold", "passed"):
        table.add_column(column)
    for check in result.checks:
        word = "yes" if check.passed else "no"
        table.add_row(check.name, f"{check.value:.4f}", check.op, f"{check.threshold:.4f}", word)
    target.print(table)
    for name, (low, high) in result.intervals.items():
        target.print(f"{name}: {low:+.4f} .. {high:+.4f}, 95 % over people")
