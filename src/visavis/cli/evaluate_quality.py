"""visavis evaluate quality: does the quality know which comparisons go wrong?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from visavis.cli import options
from visavis.cli.output import console, print_json, progress, rate
from visavis.cli.tables import check_folder


def quality(
    pair_lists: Annotated[
        list[Path],
        typer.Argument(metavar="LIST...", help="Pair lists to mix: LFW's pairs.txt, or CSV: image1,image2,same."),
    ],
    images: Annotated[Path, typer.Option("--images", help="Folder or tar archive of the pictures.")],
    at: Annotated[
        str, typer.Option("--at", help="Where the threshold is fixed, on these pairs: fmr=RATE.")
    ] = "fmr=1e-2",
    measure: Annotated[
        list[str] | None, typer.Option("--measure", help="A single measure beside the fused score; again for more.")
    ] = None,
    quality_file: Annotated[
        Path | None,
        typer.Option("--quality", help="Qualities of your own beside the measures: CSV with the header image,NAME,..."),
    ] = None,
    degrade: Annotated[
        str | None,
        typer.Option("--degrade", help="Degrade pictures before detection: fit, test, test-only, or an operator."),
    ] = None,
    degrade_share: Annotated[
        float, typer.Option("--degrade-share", help="Share of the pictures that --degrade hits.")
    ] = 0.5,
    limit: Annotated[
        float, typer.Option("--limit", help="Share of discarded pairs up to which a curve is summed up.")
    ] = 0.2,
    report: Annotated[Path | None, typer.Option("--report", help="Write the curves: .html, .png or .svg.")] = None,
    set_name: Annotated[
        str | None, typer.Option("--set", help="The data set in the people ledger; else guessed.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of resamples, of random qualities and of --degrade.")] = 0,
    resamples: options.Resamples = 1000,
    model: options.Model = options.DEFAULT_MODEL,
    attention: options.Attention = None,
    detector: options.Detector = None,
    engine: options.Engine = None,
    precision: options.Precision = None,
    device: options.Device = None,
    threads: options.Threads = None,
    flip: options.Flip = False,
    policy: options.Policy = None,
    as_json: options.Json = False,
) -> None:
    """Error-versus-discard curves: FNMR when the pairs of lowest quality are left out.

    The threshold is fixed once, on the non-mated pairs of all lists. A pair has the quality of its worse face; pairs
    of one quality go together; failed faces go first. Random is a flat line: a measure is worth something when its
    difference from it, with its interval over people, lies below zero. The JSON also has the other convention, a
    threshold set anew at every share, and the paired difference of every two measures.

    Example: visavis evaluate quality pairs_FF.csv pairs_FP.csv --images cfp_dev.tar --report quality.html
    """
    from visavis.data.degradation.degrade import Degrading
    from visavis.io import open_store
    from visavis.protocols.ledger import Ledger
    from visavis.protocols.pairs import read_pairs
    from visavis.protocols.person_intervals import check_draws
    from visavis.protocols.quality import evaluate_quality, joined
    from visavis.protocols.quality_file import read_qualities
    from visavis.types import FMR

    point = FMR.parse(at)
    check_draws(seed, resamples)
    _check(report)
    how = None if degrade is None else Degrading(degrade, share=degrade_share, seed=seed)
    lists = [read_pairs(path) for path in pair_lists]
    given = None if quality_file is None else read_qualities(quality_file, joined(lists).images)
    store = open_store(images)
    pipeline = options.build_pipeline(
        model=model,
        detector=detector,
        engine=engine,
        precision=precision,
        device=device,
        threads=threads,
        flip=flip,
        policy=policy,
        attention=attention,
    )
    with progress("assessing") as advance:
        result = evaluate_quality(
            pipeline,
            lists,
            store,
            set_name=set_name or Ledger.load().guess_set(images),
            at=point,
            measures=measure or (),
            given=given,
            degrade=how,
            limit=limit,
            seed=seed,
            resamples=resamples,
            progress=advance,
        )
    record = result.to_dict()
    if report is not None:
        from visavis.protocols.report.discard_page import write_discard

        write_discard(report, record)
    if as_json:
        print_json(record)
    else:
        _print(record)


def _check(report: Path | None) -> None:
    """Refuse a report that could not be written, before any work is done."""
    if report is None:
        return
    from visavis._require import require
    from visavis.errors import UsageError
    from visavis.protocols.report.discard_page import SUFFIXES

    if report.suffix.lower() not in SUFFIXES:
        raise UsageError(f"the curves are written as {', '.join(SUFFIXES)}; got {report.name!r}")
    check_folder(report)
    require("matplotlib.figure", extra="plots", why="a report with plots")


def _print(record: dict[str, Any]) -> None:
    from rich.table import Table

    out = console()
    out.print(f"{record['model']}, threshold {record['threshold']:.4f} fixed at fmr={record['at']:g} on these pairs")
    out.print(
        f"{record['mated']} mated and {record['nonmated']} non-mated pairs of {record['people']} people, "
        f"{record['failed']} failed"
    )
    table = Table(box=None, pad_edge=False)
    shares = list(record["random"]["fnmr"])
    limit = f"mean to {100 * record['limit']:g} %"
    for name in ("measure", *(f"{100 * float(share):g} % gone" for share in shares), limit, "against random (95 %)"):
        table.add_column(name)
    controls = (("failed alone", "acquisition"), ("oracle", "oracle"), ("random", "random"))
    rows = (*record["measures"].items(), *((name, record[key]) for name, key in controls))
    for name, row in rows:
        table.add_row(
            "fused" if name == "quality" else name,
            *(rate(row["fnmr"][share]) for share in shares),
            rate(row["pauc"]),
            _difference(row),
        )
    out.print(table)
    if record["ungated"]:
        out.print("note  fewer than ten mated pairs are wrong, or right: no claim rests on these figures")
    out.print(f"{record['images']} pictures; roles {record['roles']}; ledger {record['ledger'][:12]}")
    for note in record["notes"]:
        out.print(f"note  {note}")


def _difference(row: dict[str, Any]) -> str:
    low, high = row["difference_interval"]
    if row["difference"] is None or low is None:
        return "undefined"
    return f"{row['difference']:+.4f}  {low:+.4f} .. {high:+.4f}"
