"""visavis evaluate ijbs: surveillance frames against galleries of stills."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from visavis.cli import options
from visavis.cli.figures import print_protocol
from visavis.cli.output import print_json, progress


def ijbs(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder with gallery_1.csv, gallery_2.csv, probes.csv and pictures.")
    ],
    weighting: Annotated[
        str, typer.Option("--weighting", help="What a picture weighs in its template: none, norm or norm2.")
    ] = "none",
    aligned: Annotated[
        bool, typer.Option("--aligned", help="The pictures are crops by the ArcFace template; nothing is detected.")
    ] = False,
    seed: options.ResamplesSeed = 0,
    resamples: Annotated[int, typer.Option("--resamples", help="Resamples of subjects; 0 for no intervals.")] = 1000,
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
    """Rank, and TPIR at FPIR, of templates of frames in two galleries of stills.

    The lists have the header template,subject,medium,file. A template is the mean of each medium, summed over its
    media; a picture without a face is left out, and a template without any left is a failure. A probe whose subject is
    in the other gallery is a stranger.

    Example: visavis evaluate ijbs ijbs --weighting norm2
    """
    from visavis.protocols.ijbs import checked_weighting, evaluate_ijbs, read_ijbs
    from visavis.protocols.person_intervals import check_draws

    check_draws(seed, resamples, least=0)
    chosen = checked_weighting(weighting)
    data = read_ijbs(folder)
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
        result = evaluate_ijbs(
            pipeline,
            data,
            weighting=chosen,
            aligned=aligned,
            seed=seed,
            resamples=resamples,
            progress=advance,
        )
    record = result.to_dict()
    if as_json:
        print_json(record)
        return
    what = f"{record['templates']} templates, {record['failed_templates']} failed, of {record['people']} people"
    print_protocol(record, told=f"{what}; {record['probes']} probes")
