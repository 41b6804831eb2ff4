"""visavis evaluate rfw: one recogniser, four groups, one threshold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from visavis.cli import options
from visavis.cli.figures import print_protocol
from visavis.cli.output import print_json, progress


def rfw(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder with txts/ and data/, or with <Group>_test.bin files.")
    ],
    aligned: Annotated[
        bool, typer.Option("--aligned", help="The pictures are crops by the ArcFace template; nothing is detected.")
    ] = False,
    at: Annotated[
        str, typer.Option("--at", help="Where the common threshold is, over all groups: fmr=RATE.")
    ] = "fmr=1e-3",
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
    """Accuracy of each group, and both error rates of every group at one common threshold.

    The common threshold is read off the non-mated pairs of all groups together; the shipped one stands beside it where
    there is a calibration. Then how far the groups lie apart.

    Example: visavis evaluate rfw RFW/test
    """
    from visavis.protocols.person_intervals import check_draws
    from visavis.protocols.rfw import evaluate_rfw, read_rfw
    from visavis.types import FMR

    check_draws(seed, resamples)
    point = FMR.parse(at)
    groups = read_rfw(folder, aligned=aligned)
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
        result = evaluate_rfw(pipeline, groups, at=point, seed=seed, resamples=resamples, progress=advance)
    record = result.to_dict()
    if as_json:
        print_json(record)
        return
    told = f"{record['groups']} groups, {record['pairs']} pairs, {record['failed_pairs']} failed"
    print_protocol(record, told=f"{told}, of {record['people']} people")
