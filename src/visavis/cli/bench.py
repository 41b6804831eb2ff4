"""visavis bench: how fast, against the floor and against peers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from visavis.cli import options
from visavis.cli.output import console, print_json

app = typer.Typer(no_args_is_help=True, help="Throughput against the floor and against peers.", rich_markup_mode=None)


@app.callback()
def _root() -> None:
    """Throughput against the floor and against peers."""


@app.command("pipeline")
def pipeline(
    images: Annotated[Path, typer.Option("--images", help="Plain tar archive of pictures, one face each.")],
    pairs: Annotated[
        Path | None,
        typer.Option("--pairs", help="Pair list for the accuracy of each row; else pairs.txt beside the tar."),
    ] = None,
    count: Annotated[int, typer.Option("--count", help="Pictures in each timed run.")] = 800,
    rounds: Annotated[int, typer.Option("--rounds", help="Interleaved rounds; medians are printed.")] = 5,
    peers: Annotated[bool, typer.Option("--peers/--no-peers", help="Also run OpenCV and dlib.")] = True,
    as_json: options.Json = False,
) -> None:
    """Pictures a second from file to template on all cores, a row per installed engine and precision.

    Beside each row stands `bare`, the same networks on prepared tensors with the same batches and threads. The
    peers, OpenCV's own face pipeline with the same weights and looks, and the models of face_recognition, run in
    environments of their own, which are made with pip on first use.

    Example: visavis bench pipeline --images lfw.tar --json
    """
    from visavis.bench.pipeline import bench_pipeline

    record = bench_pipeline(images, pair_list=pairs, count=count, rounds=rounds, peers=peers)
    if as_json:
        print_json(record)
    else:
        _print(record)


def _print(record: dict[str, Any]) -> None:
    from rich.table import Table

    out = console()
    table = Table(box=None, pad_edge=False)
    for name in ("engine", "pictures/s", "spread", "of bare", "x OpenCV", "x dlib", "accuracy"):
        table.add_column(name)
    for row in record["rows"]:
        table.add_row(
            f"{row['engine']} {row['precision']}",
            f"{row['pictures_per_second']:.1f}",
            f"{row['spread'][0]:.1f} .. {row['spread'][1]:.1f}",
            _ratio(row.get("ratio_bare")),
            _ratio(row.get("ratio_opencv")),
            _ratio(row.get("ratio_dlib")),
            "" if row.get("accuracy") is None else f"{row['accuracy']:.4f}",
        )
    out.print(table)
    for note in record["notes"]:
        out.print(f"note  {note}")


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
