"""visavis embed: make templates."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from visavis.cli import options
from visavis.cli.detect import require_one_readable
from visavis.cli.output import console, print_json, progress, shown
from visavis.cli.tables import check_suffix, write_table

if TYPE_CHECKING:
    from visavis.io import Source
    from visavis.pipeline.pipeline import Pipeline
    from visavis.selection import Select
    from visavis.types import Analysis


def embed(
    pictures: options.Pictures,
    out: Annotated[Path, typer.Option("--out", help="Where the templates go: .npz, .vvt, .csv or .parquet.")],
    which: Annotated[str, typer.Option("--which", help="central (one a picture), largest, or all.")] = "central",
    minimum_size: options.MinimumSize = 0.0,
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
    """Templates of faces: unit vectors with their box, norm and status, one row a face.

    A picture that cannot be read or shows no face is a failed row with its reason. The file is written at the
    end, whole or not at all. An .npz also holds the template space and what computed it, as JSON; a .vvt holds
    them too, and one byte a value, without box and norm.

    Example: visavis embed photos/ --out templates.parquet
    """
    from visavis.recognition.compact_file import SUFFIX

    chosen = options.selection(which)
    check_suffix(out, (".npz", SUFFIX, ".csv", ".parquet"))
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
    )
    parts = embedded(pipeline, found, chosen)
    columns = _columns(parts)
    require_one_readable(columns["reason"], columns["message"])
    columns["space"] = [pipeline.space.fingerprint] * len(columns["image"])
    record = {"space": pipeline.space.fingerprint, "made_by": pipeline.made_by.to_dict()}
    if out.suffix.lower() == SUFFIX:
        _write_compact(out, parts)
    else:
        _write(out, columns, record)
    good = sum(status == "ok" for status in columns["status"])
    failed = [
        {"image": image, "reason": reason, "message": message}
        for image, reason, message in zip(columns["image"], columns["reason"], columns["message"], strict=True)
        if reason
    ]
    if as_json:
        print_json({"images": len(found), "templates": good, "out": str(out), **record, "failed": failed})
        return
    screen = console()
    screen.print(f"{good} templates of {len(found)} pictures in {shown(out)}, space {pipeline.space.fingerprint}")
    for row in failed:
        screen.print(f"failed  {shown(row['image'])}  {row['reason']}")


def embedded(pipeline: Pipeline, found: list[Source], which: Select) -> list[Analysis]:
    """Faces and templates of pictures, some at a time and in order, with a progress bar."""
    parts = []
    with progress("embedding") as advance:
        for part in pipeline.stream(found, which=which):
            parts.append(part)
            advance(int(part.faces.picture.max()) + 1, len(found))
    return parts


def _columns(parts: list[Analysis]) -> dict[str, Any]:
    statuses = [failure for part in parts for failure in part.templates.status]
    return {
        "image": [source for part in parts for source in part.sources],
        "picture": np.concatenate([part.faces.picture for part in parts]),
        "box": np.concatenate([part.faces.boxes for part in parts]),
        "score": np.concatenate([part.faces.score for part in parts]),
        "norm": np.concatenate([part.templates.norms for part in parts]),
        "status": ["ok" if failure is None else "failed" for failure in statuses],
        "reason": ["" if failure is None else failure.reason for failure in statuses],
        "message": ["" if failure is None else failure.message for failure in statuses],
        "vector": np.concatenate([part.templates.vectors for part in parts]),
    }


def _write_compact(out: Path, parts: list[Analysis]) -> None:
    """One byte a value."""
    from visavis.recognition.compact import CompactTemplates
    from visavis.recognition.compact_file import write_compact
    from visavis.types import Templates

    templates = Templates.concat([part.templates for part in parts])
    names = tuple(source for part in parts for source in part.sources)
    write_compact(out, CompactTemplates.of(templates, names=names))


def _write(out: Path, columns: dict[str, Any], record: dict[str, Any]) -> None:
    if out.suffix.lower() != ".npz":
        write_table(out, columns)
        return
    from visavis.io.atomic import write_output

    stream = io.BytesIO()
    arrays = {name: np.asarray(value) for name, value in columns.items()}
    arrays["meta"] = np.array(json.dumps(record))
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    write_output(out, stream.getvalue())
