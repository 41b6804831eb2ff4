"""visavis assess: how usable is each face?"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from visavis.cli import options
from visavis.cli.assess_beside import beside, print_standard, standard_note, standard_rows, write_maps
from visavis.cli.assess_discard import check_discarding, discard_rows, print_discarding
from visavis.cli.detect import require_one_readable
from visavis.cli.output import console, print_json, progress, shown
from visavis.cli.tables import check_picture, check_suffix, write_table

if TYPE_CHECKING:
    from visavis.pipeline.assess import Assessed


def assess(
    pictures: options.Pictures,
    which: Annotated[str, typer.Option("--which", help="central (one a picture), largest, or all.")] = "central",
    out: Annotated[Path | None, typer.Option("--out", help="Write a table: .csv or .parquet.")] = None,
    standard: Annotated[
        bool, typer.Option("--standard", help="Add the components of ISO/IEC 29794-5 that need no further model.")
    ] = False,
    map_file: Annotated[
        Path | None, typer.Option("--map", help="Write where each face is blurred or badly lit: one picture.")
    ] = None,
    discard_below: Annotated[
        float | None,
        typer.Option("--discard-below", help="Mark faces of a lower fused score, and tell what discarding them does."),
    ] = None,
    minimum_size: options.MinimumSize = 0.0,
    model: options.Model = options.DEFAULT_MODEL,
    attention: options.Attention = None,
    detector: options.Detector = None,
    engine: options.Engine = None,
    precision: options.Precision = None,
    device: options.Device = None,
    threads: options.Threads = None,
    flip: options.Flip = False,
    policy: options.Policy = None,
    quality_policy: options.QualityPolicy = "default",
    as_json: options.Json = False,
) -> None:
    """Quality of faces: seven measures, one fused score in 0..100, and what is wrong in plain words.

    A face is unfit when the quality policy refuses it; by default, when it fails a limit on the card of the model: most
    of its comparisons would be wrong. A picture that cannot be read or shows no face is a failed row with its reason;
    the exit code is 0 unless no picture could be read at all.

    Examples: visavis assess a.jpg b.jpg; visavis assess photos/ --out quality.csv; visavis assess a.jpg --map map.png
    """
    from visavis.pipeline.assess import assess_stream

    chosen = options.selection(which)
    check_discarding(discard_below)
    check_suffix(out)
    check_picture(map_file)
    found = options.sources(pictures)
    pipeline = options.build_pipeline(
        model=model,
        detector=detector,
        engine=engine,
        precision=precision,
        device=device,
        threads=threads,
        flip=flip,
        policy=policy,
        minimum_size=minimum_size,
        attention=attention,
        quality_policy=quality_policy,
    )
    parts: list[Assessed] = []
    with progress("assessing") as advance:
        also = partial(beside, standard=standard, maps=map_file is not None)
        for part in assess_stream(pipeline, found, which=chosen, also=also):
            parts.append(part)
            advance(int(part.analysis.faces.picture.max()) + 1, len(found))
    rows = [row for part in parts for row in _rows(part)]
    about: dict[str, Any] = {}
    if discard_below is not None:
        about["discard"] = discard_rows(rows, discard_below, pipeline.space.fingerprint)
    if standard:
        about["standard"] = standard_note()
        for row, components in zip(rows, standard_rows([part.also for part in parts]), strict=True):
            row["standard"] = components
    require_one_readable([row["failure"] or "" for row in rows], [row["message"] or "" for row in rows])
    if out is not None:
        write_table(out, _columns(rows))
    if map_file is not None:
        _write_maps(map_file, rows, parts)
    if as_json:
        faces = sum(row["failure"] is None for row in rows)
        about = {"quality_policy": pipeline.quality_policy.to_dict(), **about}
        print_json({"images": len(found), "faces": faces, **about, "rows": rows})
    elif out is None:
        _print(rows, about)


def _write_maps(path: Path, rows: list[dict[str, Any]], parts: list[Assessed]) -> None:
    left_out = write_maps(path, [row["image"] for row in rows], [part.also for part in parts])
    if left_out:
        typer.echo(f"{path} shows the first {len(rows) - left_out} of {len(rows)} faces", err=True)


def _rows(part: Assessed) -> list[dict[str, Any]]:
    analysis, described = part.analysis, part.assessment.to_dicts()
    return [
        {
            "image": analysis.sources[row],
            "status": "failed" if failure is not None else "unfit" if part.unfit[row] else "ok",
            "failure": None if failure is None else failure.reason,
            "message": None if failure is None else failure.message,
            "box": None if failure is not None else [round(float(v), 2) for v in analysis.faces.boxes[row]],
            **described[row],
            "reasons": [reason for quality in part.assessment.measures if (reason := quality.reasons[row])],
            "unfit": list(part.unfit[row]),
        }
        for row, failure in enumerate(part.assessment.fused.status)
    ]


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "image": [row["image"] for row in rows],
        "status": [row["status"] for row in rows],
        "failure": [row["failure"] or "" for row in rows],
        "quality": _numbers(row["quality"] for row in rows),
    }
    for name in rows[0]["measures"]:
        columns[f"{name}_raw"] = _numbers(row["measures"][name]["raw"] for row in rows)
        columns[f"{name}_score"] = _numbers(row["measures"][name]["score"] for row in rows)
    for name in rows[0].get("standard", ()):
        columns[f"iso_{name}_raw"] = _numbers(row["standard"][name]["raw"] for row in rows)
        columns[f"iso_{name}_score"] = _numbers(row["standard"][name]["score"] for row in rows)
    if "discard" in rows[0]:
        columns["discard"] = [row["discard"] for row in rows]
    columns["reasons"] = ["; ".join(row["reasons"]) for row in rows]
    columns["unfit"] = ["; ".join(row["unfit"]) for row in rows]
    return columns


def _numbers(values: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array([np.nan if value is None else value for value in values], np.float32)


def _print(rows: list[dict[str, Any]], about: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    names = list(rows[0]["measures"])
    table.add_column("picture", overflow="fold")
    for name in ("quality", *names):
        table.add_column(name, justify="right")
    table.add_column("what is wrong", overflow="fold")
    for row in rows:
        scores = [row["quality"], *(row["measures"][name]["score"] for name in names)]
        cells = ["" if score is None else f"{score:.0f}" for score in scores]
        table.add_row(shown(row["image"]), *cells, _wrong(row))
    out = console()
    out.print(table)
    for row in rows:
        for reason in row["unfit"]:
            out.print(f"unfit  {shown(row['image'])}  {reason}")
    if "discard" in about:
        print_discarding(rows, about["discard"])
    if "standard" in about:
        print_standard(rows)


def _wrong(row: dict[str, Any]) -> str:
    return row["failure"] or "; ".join(row["reasons"])
