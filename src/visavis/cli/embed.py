"""visavis embed: make templates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visavis.cli import options
from visavis.cli.detect import require_one_readable
from visavis.cli.output import console, print_json, progress, shown
from visavis.cli.tables import check_suffix
from visavis.cli.template_files import write_templates

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
    end, whole or not at all; a run that was stopped or killed goes on where it was when it is started again. An
    .npz also holds the template space and what computed it, as JSON; a .vvt holds them too, and one byte a value,
    without box and norm.

    Example: visavis embed photos/ --out templates.parquet
    """
    from visavis.pipeline.bulk_embedding import embed_in_bulk
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
    record = {"space": pipeline.space.fingerprint, "made_by": pipeline.made_by.to_dict()}
    place = out.with_name(f".{out.name}.work")
    with (
        progress("embedding") as advance,
        embed_in_bulk(pipeline, found, place, which=chosen, progress=advance) as made,
    ):
        failed = [{"image": row.key, "reason": row.reason, "message": row.message} for row in made.failures]
        if not made.templates:
            require_one_readable([row["reason"] for row in failed], [row["message"] for row in failed])
        write_templates(out, made, space=pipeline.space, made_by=pipeline.made_by)
    if as_json:
        print_json({"images": len(found), "templates": made.templates, "out": str(out), **record, "failed": failed})
        return
    screen = console()
    screen.print(f"{made.templates} templates of {len(found)} pictures in {shown(out)}, space {record['space']}")
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
