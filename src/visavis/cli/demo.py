"""visavis demo: the main job on real pictures that are already on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.cli import options
from visavis.cli.output import console, print_json, shown
from visavis.cli.tables import check_folder, check_picture
from visavis.errors import UsageError

if TYPE_CHECKING:
    from visavis.demonstration import Comparison
    from visavis.pipeline.pipeline import Pipeline


def demo(
    pictures: Annotated[
        list[str] | None, typer.Argument(help="Two photos of yours, instead of the portraits.", metavar="[A B]")
    ] = None,
    at: Annotated[str, typer.Option("--at", help="Operating point, for example fmr=1e-3.")] = "fmr=1e-3",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Write the pictures with the answers (.png), a report of A and B (.html .json), or a folder."
        ),
    ] = None,
    engine: options.Engine = None,
    precision: options.Precision = None,
    threads: options.Threads = None,
    as_json: options.Json = False,
) -> None:
    """A portrait against its own turned, darkened, blurred and covered copies, and against another face.

    Without arguments: the astronaut portrait that scikit-image ships and the officer portrait that Matplotlib
    ships, both in the public domain; nothing is downloaded. With two photos: the first takes the part of the
    astronaut, the second is the other face.

    Each row shows the answer and, where it is inconclusive, why; the similarity; the log10 likelihood ratio, unless
    the picture is too poor for it; the quality of the picture; and the parts of the face that spoke. A folder given
    as --out takes the pictures with their answers and the report of the two portraits in all its forms.

    Examples: visavis demo; visavis demo me.jpg you.jpg --out answers
    """
    from visavis.demonstration import compare_copies, portraits
    from visavis.types import FMR

    if pictures and len(pictures) != 2:
        raise UsageError(f"demo takes no picture or two; got {len(pictures)}")
    targets = _targets(out)
    point = FMR.parse(at)
    pipeline = options.build_pipeline(engine=engine, precision=precision, threads=threads)
    first, second = pictures or portraits()
    rows = compare_copies(pipeline, str(first), str(second), at=point)
    _write(targets, rows, pipeline)
    if as_json:
        print_json({"first": str(first), "second": str(second), "rows": [_row(row) for row in rows]})
    else:
        _print(rows, first, second)
        for target in targets:
            console().print(f"wrote {shown(target)}")


def _targets(out: Path | None) -> dict[Path, str]:
    """The files to write, each ``answers`` or ``report``; a name without an ending is a folder.

    Raises:
        UsageError: Another ending, a folder that does not exist, or a path that is of the other kind.
    """
    from visavis.io.encode import SUFFIXES as PICTURES
    from visavis.io.files import is_file, is_folder
    from visavis.report.write import SUFFIXES as REPORTS
    from visavis.report.write import check_case_path

    if out is None:
        return {}
    if out.suffix.lower() in PICTURES:
        check_picture(out)
        return {out: "answers"}
    if out.suffix.lower() in REPORTS:
        return {check_case_path(out): "report"}
    if out.suffix and not is_folder(out):
        raise UsageError(
            f"demo writes pictures ({' '.join(PICTURES)}), a report (.html .json) or a folder; got {out.name!r}"
        )
    check_folder(out / "answers.png" if is_folder(out) else out)
    if is_file(out):
        raise UsageError(f"{out} is a file; name a folder, or a file that ends in .png, .html or .json")
    reports = {out / f"report{ending}": "report" for ending in REPORTS}
    return {out / "answers.png": "answers", **reports}


def _write(targets: dict[Path, str], rows: list[Comparison], pipeline: Pipeline) -> None:
    """The pictures with the answers, and the report of the last row, which is of the two given pictures."""
    from visavis.demonstration import contact_sheet
    from visavis.io import write
    from visavis.report import case_evidence, write_case

    if len(targets) > 1:
        _make(next(iter(targets)).parent)
    for path, kind in targets.items():
        if kind == "answers":
            write(path, contact_sheet(rows))
    reports = [path for path, kind in targets.items() if kind == "report"]
    case = rows[-1].case
    if reports and case is not None:
        explanation, explained = case_evidence(case, pipeline.embedder)
        for path in reports:
            write_case(path, case, explanation, explained=explained)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"the folder {folder} cannot be made ({error.strerror or error})") from error


def _row(row: Comparison) -> dict[str, Any]:
    return {
        "against": row.name,
        "failure": row.failure,
        "decision": None if row.decision is None else row.decision.to_dict(),
        "quality": row.quality,
        "for": list(row.carried),
        "against_a_match": list(row.against),
    }


def _print(rows: list[Comparison], first: Any, second: Any) -> None:
    from rich.table import Table

    out = console()
    out.print(f"{shown(first)}, against copies of itself and against {shown(second)}")
    table = Table(box=None, pad_edge=False)
    for name in ("against", "answer", "similarity", "llr", "quality", "spoke for a match", "spoke against"):
        table.add_column(name)
    decision = None
    for row in rows:
        if row.decision is None:
            table.add_row(row.name, f"no answer: {row.failure}")
            continue
        decision = row.decision
        table.add_row(
            row.name,
            decision.answer,
            f"{decision.similarity:.4f}",
            "-" if row.llr is None else f"{row.llr:+.1f}",
            "-" if row.quality is None else f"{row.quality:.0f}",
            ", ".join(row.carried) or "-",
            ", ".join(row.against) or "-",
        )
    out.print(table)
    for row in rows:
        for reason in () if row.decision is None else row.decision.reasons:
            out.print(f"inconclusive: {shown(reason)}")
    if decision is not None:
        out.print(f"threshold {decision.threshold:.4f} at {decision.at}: {decision.fmr or decision.population}")
        made = decision.made_by
        out.print(f"made by {made.model}, {made.engine} {made.engine_version}, {made.precision}")
