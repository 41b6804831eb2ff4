"""visavis calibrate: thresholds for a model, measured on labelled pictures."""

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
    from visavis.calibration.table import Calibration


def calibrate(
    people: Annotated[Path, typer.Argument(metavar="PEOPLE", help="Folder or tar archive with one folder a person.")],
    out: Annotated[Path, typer.Option("--out", help="Where the calibration goes: NAME.json.")],
    population: Annotated[str, typer.Option("--population", help="Whom the pictures show; printed with every rate.")],
    mated: Annotated[
        Path | None, typer.Option("--mated", help="Other labelled pictures for the pairs of one person.")
    ] = None,
    caution: Annotated[str, typer.Option("--caution", help="What a reader must know.")] = "",
    per_person: Annotated[
        int, typer.Option("--per-person", help="Pictures of a person among the impostors, at most.")
    ] = 5,
    seed: Annotated[int, typer.Option("--seed", help="Seed of what is drawn.")] = 0,
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
    """Fit thresholds of pairs and searches, intervals over people and likelihood ratios for any model.

    All pairs of two persons are impostors, all pairs of one person are genuine. People whom the ledger knows with
    another role than calibrate are left out. The file goes to verify or identify --calibration.

    Example: visavis calibrate people/ --population "visitors, passport photos" --out gate.json
    """
    from visavis.io.atomic import write_output
    from visavis.protocols.calibrate import calibrate as fit
    from visavis.protocols.labelled import read_labelled

    if out.suffix.lower() != ".json":
        raise UsageError(f"a calibration is a JSON file, --out NAME.json; got {out}")
    if not population.strip():
        raise UsageError("--population says whom the pictures show; a false match rate is never printed without it")
    check_folder(out)
    one = read_labelled(people)
    two = None if mated is None else read_labelled(mated)
    pipeline = options.build_pipeline(
        model=model,
        detector=detector,
        engine=engine,
        precision=precision,
        device=device,
        threads=threads,
        flip=flip,
        policy=policy,
    )
    with progress("embedding") as advance:
        fitted = fit(
            pipeline,
            one,
            two,
            name=out.stem,
            population=population.strip(),
            caution=caution,
            per_person=per_person,
            seed=seed,
            progress=advance,
        )
    record = fitted.to_dict()
    write_output(out, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())
    if as_json:
        print_json({**record, "written": str(out)})
    else:
        _print(fitted, out)


def _print(fitted: Calibration, out: Path) -> None:
    from rich.table import Table

    from visavis.types import FMR

    target = console()
    target.print(f"{fitted.people} people, {fitted.provenance['nonmated_pairs']} impostor pairs: {fitted.population}")
    table = Table(box=None, pad_edge=False)
    for name in ("fmr", "95 % on as many other people", "threshold", "fnmr", "impostor pairs above"):
        table.add_column(name)
    for row, point in enumerate(fitted.points):
        rate = fitted.rate(FMR(point.fmr))
        if (row % 5 and row != len(fitted.points) - 1) or rate is None:
            continue
        missed = "" if point.fnmr is None else f"{point.fnmr:.4f}"
        table.add_row(
            f"{point.fmr:.1e}",
            f"{rate.low:.1e} .. {rate.high:.1e}",
            f"{point.threshold:.4f}",
            missed,
            str(point.events),
        )
    target.print(table)
    searches = fitted.identification
    if searches is None:
        target.print("no thresholds of searches: fewer than 100 people")
    else:
        target.print(
            f"thresholds of searches: galleries of {searches.sizes[0]} to {searches.sizes[-1]} people, fpir "
            f"{searches.points[0].fpir:.1g} to {min(one.fpir for one in searches.points):.1g}"
        )
    if not fitted.llr:
        target.print(f"no likelihood ratio: {fitted.provenance.get('no_llr', 'too few mated pairs')}")
    target.print(f"written to {out}")
