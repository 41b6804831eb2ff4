"""visavis evaluate tinyface: low-resolution faces among distractors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from visavis.cli import options
from visavis.cli.figures import print_protocol
from visavis.cli.output import print_json, progress


def tinyface(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that holds Testing_Set/ of TinyFace.")],
    crops: Annotated[
        Path | None,
        typer.Option("--crops", help="Aligned crops: folder with Gallery_Match, Gallery_Distractor and Probe."),
    ] = None,
    seed: options.ResamplesSeed = 0,
    resamples: options.Resamples = 1000,
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
    """Rank, and mean average precision, among the mated gallery and all distractors.

    Without --crops the faces are detected, and a picture without a face is a failure: a probe misses, an entry is never
    returned. Published figures are on aligned crops.

    Example: visavis evaluate tinyface tinyface --crops aligned_pad_0.1_pad_high
    """
    from visavis.protocols.person_intervals import check_draws
    from visavis.protocols.tinyface import evaluate_tinyface, read_tinyface

    check_draws(seed, resamples)
    data = read_tinyface(folder, crops=crops)
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
        result = evaluate_tinyface(
            pipeline, data, aligned=crops is not None, seed=seed, resamples=resamples, progress=advance
        )
    record = result.to_dict()
    if as_json:
        print_json(record)
        return
    told = f"{record['probes']} probes of {record['people']} people, {record['failed_probes']} failed"
    print_protocol(record, told=f"{told}; gallery of {record['gallery']} and {record['distractors']} distractors")
