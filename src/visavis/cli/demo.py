"""visavis demo: the main job on real pictures that are already on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.cli import options
from visavis.cli.output import console, print_json, shown
from visavis.cli.tables import check_picture
from visavis.errors import UsageError

if TYPE_CHECKING:
    from visavis.demonstration import Comparison


def demo(
    pictures: Annotated[
        list[str] | None, typer.Argument(help="Two photos of yours, instead of the portraits.", metavar="[A B]")
    ] = None,
    at: Annotated[str, typer.Option("--at", help="Operating point, for example fmr=1e-3.")] = "fmr=1e-3",
    out: Annotated[Path | None, typer.Option("--out", help="Write the pictures with the answers as one PNG.")] = None,
    engine: options.Engine = None,
    precision: options.Precision = None,
    threads: options.Threads = None,
    as_json: options.Json = False,
) -> None:
    """A portrait against its own turned, darkened, blurred and half-covered copies, and against another face.

    Without arguments: the astronaut portrait that scikit-image ships and the officer portrait that Matplotlib
    ships, both in the public domain; nothing is downloaded. With two photos: the first takes the part of the
    astronaut, the second is the other face.

    Examples: visavis demo; visavis demo me.jpg you.jpg --out answers.png
    """
    from visavis.demonstration import compare_copies, contact_sheet, portraits
    from visavis.io import write
    from visavis.types import FMR

    if pictures and len(pictures) != 2:
        raise UsageError(f"demo takes no picture or two; got {len(pictures)}")
    check_picture(out)
    point = FMR.parse(at)
    pipeline = options.build_pipeline(engine=engine, precision=precision, threads=threads)
    first, second = pictures or portraits()
    rows = compare_copies(pipeline, first, second, at=point)
    if out is not None:
        write(out, contact_sheet(rows))
    if as_json:
        print_json({"first": str(first), "second": str(second), "rows": [_row(row) for row in rows]})
    else:
        _print(rows, first, second)


def _row(row: Comparison) -> dict[str, Any]:
    record: dict[str, Any] = {"against": row.name, "failure": row.failure}
    return {**record, "decision": None if row.decision is None else row.decision.to_dict()}


def _print(rows: list[Comparison], first: Any, second: Any) -> None:
    from rich.table import Table

    out = console()
    out.print(f"{shown(first)}, against copies of itself and against {shown(second)}")
    table = Table(box=None, pad_edge=False)
    for name in ("against", "answer", "similarity", "threshold"):
        table.add_column(name)
    decision = None
    for row in rows:
        if row.decision is None:
            table.add_row(row.name, f"no answer: {row.failure}", "", "")
            continue
        decision = row.decision
        table.add_row(row.name, decision.answer, f"{decision.similarity:.4f}", f"{decision.threshold:.4f}")
    out.print(table)
    if decision is not None:
        out.print(f"threshold at {decision.at}: {decision.population}")
        made = decision.made_by
        out.print(f"made by {made.model}, {made.engine} {made.engine_version}, {made.precision}")
