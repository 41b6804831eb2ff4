"""visavis calibrate-attention: what the attention scores of a vision transformer mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from visavis.cli import options
from visavis.cli.output import console, print_json, progress
from visavis.cli.tables import check_folder
from visavis.errors import UsageError


def calibrate_attention(
    people: Annotated[Path, typer.Argument(metavar="PEOPLE", help="Folder or tar archive with one folder a person.")],
    out: Annotated[
        Path, typer.Option("--out", help="Where it goes; NAME.onnx.attention.json beside the model is found there.")
    ],
    population: Annotated[str, typer.Option("--population", help="Whom the pictures show.")],
    faces: Annotated[int, typer.Option("--faces", help="Pictures to draw, at most.")] = 500,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the draw.")] = 0,
    model: Annotated[
        str, typer.Option("--model", help="A vision transformer: a name, an ONNX or card file.")
    ] = "embedder/visavis-vit-t",
    detector: options.Detector = None,
    engine: options.Engine = None,
    precision: options.Precision = None,
    device: options.Device = None,
    threads: options.Threads = None,
    policy: options.Policy = None,
    as_json: options.Json = False,
) -> None:
    """Fit sign and percentiles of the quality measure attention for any recogniser that is a vision transformer.

    The faces are blurred more and more. A network whose scores do not follow the blur is refused: its attention says
    nothing of quality. People whom the ledger knows with another role than train are left out.

    Example: visavis calibrate-attention people/ --model my.onnx --population "staff" --out my.onnx.attention.json
    """
    from visavis.io.atomic import write_output
    from visavis.pipeline.attention import attending_embedder
    from visavis.pipeline.pipeline import Pipeline
    from visavis.protocols.calibrate_attention import calibrate_attention as fit
    from visavis.protocols.labelled import read_labelled

    if out.suffix.lower() != ".json":
        raise UsageError(f"an attention calibration is a JSON file, --out NAME.onnx.attention.json; got {out}")
    if not population.strip():
        raise UsageError("--population says whom the pictures show; it is told with every score")
    check_folder(out)
    labelled = read_labelled(people, role="train")
    chosen = options.engine_options(engine, precision, device, threads)
    embedder = attending_embedder(model, engine=chosen, policy=policy)
    pipeline = Pipeline(model=embedder, detector=detector, engine=chosen, policy=policy)
    with progress("measuring") as advance:
        fitted = fit(pipeline, labelled, population=population.strip(), faces=faces, seed=seed, progress=advance)
    record = fitted.to_dict()
    write_output(out, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())
    if as_json:
        print_json({**record, "written": str(out)})
        return
    target = console()
    target.print(f"{fitted.model}: {fitted.source}")
    direction = "higher" if fitted.rising else "lower"
    target.print(
        f"{direction} raw scores are better: rank correlation with sharpness {fitted.correlation:+.2f}; "
        f"{100 * fitted.ordered:.0f} % of the faces are ordered at every step"
    )
    target.print(f"written to {out}")
