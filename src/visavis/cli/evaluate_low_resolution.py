"""visavis evaluate low-resolution: what is left when the face has 8 to 32 pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from visavis.cli import options
from visavis.cli.figures import print_notes
from visavis.cli.output import console, print_json, progress, rate
from visavis.cli.tables import check_folder
from visavis.errors import UsageError

_ROWS = (
    ("failed", "failed"),
    ("rank.1", "rank 1"),
    ("tar_at_far.1e-2", "TAR at FAR 1e-2 (oracle)"),
    ("tar_at_far.1e-3", "TAR at FAR 1e-3 (oracle)"),
    ("fmr", "FMR as shipped"),
    ("fnmr", "FNMR as shipped"),
    ("fmr_both", "FMR, both small"),
    ("fnmr_both", "FNMR, both small"),
)


def low_resolution(
    people: Annotated[Path, typer.Argument(metavar="PEOPLE", help="Folder or tar archive with one folder a person.")],
    sizes: Annotated[
        str, typer.Option("--sizes", help="Pixels of the face's longer side, rising; the full picture comes last.")
    ] = "8,12,16,24,32",
    degrade: Annotated[
        str, typer.Option("--degrade", help="How pictures are reduced: down-area, down-linear or down-cubic.")
    ] = "down-cubic",
    gallery_model: Annotated[
        str | None,
        typer.Option("--gallery-model", help="Recogniser of the enrolled full pictures, where it is another one."),
    ] = None,
    at: Annotated[str, typer.Option("--at", help="Operating point of the shipped threshold: fmr=RATE.")] = "fmr=1e-3",
    role: Annotated[
        str, typer.Option("--role", help="Leave out people whom the ledger knows with another role.")
    ] = "test",
    report: Annotated[Path | None, typer.Option("--report", help="Draw the rates over the size: .png or .svg.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the pictures that are drawn, and of resamples.")] = 0,
    resamples: Annotated[int, typer.Option("--resamples", help="Resamples of people; 0 for no intervals.")] = 1000,
    model: options.Model = options.DEFAULT_MODEL,
    detector: options.Detector = None,
    engine: options.Engine = None,
    precision: options.Precision = None,
    device: options.Device = None,
    threads: options.Threads = None,
    flip: options.Flip = False,
    policy: options.Policy = None,
    as_json: options.Json = False,
) -> None:
    """Rank 1, true accepts and both error rates at each size of the face.

    Two pictures of each person are drawn: one is enrolled as it is, the other is the probe. Whole pictures are reduced
    and left small, so that detector and alignment see no more than a camera far away would; a face that is not found
    is a failure and counts as a rejection. Impostors are all pairs of different people, within each size: a small probe
    against the full gallery, and both pictures small.

    Example: visavis evaluate low-resolution lfw.tar --model visavis-low --gallery-model sface.2021dec
    """
    from visavis.protocols.labelled import read_labelled
    from visavis.protocols.low_resolution import evaluate_low_resolution, two_pictures
    from visavis.protocols.person_intervals import check_draws
    from visavis.protocols.sized_pictures import Sizes
    from visavis.types import FMR

    point = FMR.parse(at)
    check_draws(seed, resamples, least=0)
    wanted = Sizes(_numbers(sizes), degrade)
    _check(report)
    chosen = two_pictures(read_labelled(people, role=role), seed=seed)
    settings: dict[str, Any] = {
        "detector": detector,
        "engine": engine,
        "precision": precision,
        "device": device,
        "threads": threads,
        "flip": flip,
        "policy": policy,
    }
    pipeline = options.build_pipeline(model=model, **settings)
    other = None if gallery_model is None else options.build_pipeline(model=gallery_model, **settings)
    with progress("embedding") as advance:
        result = evaluate_low_resolution(
            pipeline,
            chosen,
            sizes=wanted,
            gallery=other,
            at=point,
            seed=seed,
            resamples=resamples,
            progress=advance,
        )
    record = result.to_dict()
    if report is not None:
        from visavis.protocols.report.low_resolution_plot import write_low_resolution

        write_low_resolution(report, {record["model"]: record})
    if as_json:
        print_json(record)
    else:
        _print(record)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"--sizes takes whole numbers with commas, for example 8,16,32; got {text!r}") from error


def _check(report: Path | None) -> None:
    """Refuse a plot that could not be written, before any work is done."""
    if report is None:
        return
    from visavis._require import require
    from visavis.protocols.report.low_resolution_plot import SUFFIXES

    if report.suffix.lower() not in SUFFIXES:
        raise UsageError(f"the plot is written as {' or '.join(SUFFIXES)}; got {report.name!r}")
    check_folder(report)
    require("matplotlib.figure", extra="plots", why="a report with plots")


def _print(record: dict[str, Any]) -> None:
    from rich.table import Table

    out, settings, figures = console(), record["settings"], record["figures"]
    out.print(
        f"{record['model']} against {settings['gallery_model']}, {record['people']} people, {settings['operator']}"
    )
    table = Table(box=None, pad_edge=False)
    for name in ("pixels of the face", *settings["sizes"]):
        table.add_column(name)
    for key, told in _ROWS:
        cells = [figures.get(f"{key}@{size}") for size in settings["sizes"]]
        if any(cells):
            table.add_row(told, *("" if cell is None else rate(cell["value"]) for cell in cells))
    out.print(table)
    if settings["threshold"] is None:
        out.print("no calibration of these spaces ships: there are no rates at a shipped threshold")
    else:
        out.print(f"shipped threshold {settings['threshold']:.4f} ({settings['threshold_of']})")
    if record["ungated"]:
        out.print(f"note  fewer than ten events, no claim rests on them: {', '.join(record['ungated'])}")
    out.print(f"roles {record['roles']}; ledger {record['ledger'][:12]}")
    print_notes(record["notes"])
