"""visavis evaluate megaface: rank-1 against the number of distractors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from visavis.cli import options
from visavis.cli.figures import print_protocol
from visavis.cli.output import print_json, progress


def megaface(
    probes: Annotated[Path, typer.Argument(metavar="PROBES", help="Folder or tar archive, one folder a person.")],
    distractors: Annotated[
        Path, typer.Argument(metavar="DISTRACTORS", help="Folder or tar archive of others, or an .npy of embeddings.")
    ],
    probe_list: Annotated[
        Path | None, typer.Option("--probe-list", help="Take these probes only: facescrub_lst.")
    ] = None,
    distractor_list: Annotated[
        Path | None, typer.Option("--distractor-list", help="Take these distractors only: megaface_lst.")
    ] = None,
    probe_noises: Annotated[
        Path | None, typer.Option("--probe-noises", help="Leave these probes out: facescrub_noises.txt.")
    ] = None,
    distractor_noises: Annotated[
        Path | None, typer.Option("--distractor-noises", help="Leave these distractors out: megaface_noises.txt.")
    ] = None,
    aligned: Annotated[
        bool, typer.Option("--aligned", help="The pictures are crops by the ArcFace template; nothing is detected.")
    ] = False,
    set_name: Annotated[
        str | None, typer.Option("--set", help="The data set of the probes in the people ledger, or none; else found.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the subsets of distractors and of resamples.")] = 0,
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
    """Rank-1 among 10, 100, ... distractors, and TAR at FAR over probes and distractors.

    Each picture of a person is the gallery once and each other one the probe. The mate must be more similar than every
    distractor. Distractors are streamed; of their pictures only the names stay in memory.

    Example: visavis evaluate megaface facescrub_images megaface_images --aligned --probe-list facescrub_lst
    """
    from visavis.protocols.megaface import evaluate_megaface
    from visavis.protocols.megaface_sets import read_distractors, read_probes, require_apart
    from visavis.protocols.person_intervals import check_draws

    check_draws(seed, resamples)
    known = read_probes(probes, chosen=probe_list, noises=probe_noises)
    others = read_distractors(distractors, chosen=distractor_list, noises=distractor_noises)
    require_apart(known, others)
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
        result = evaluate_megaface(
            pipeline,
            known,
            others,
            aligned=aligned,
            set_name=set_name,
            seed=seed,
            resamples=resamples,
            progress=advance,
        )
    record = result.to_dict()
    if as_json:
        print_json(record)
        return
    told = "; ".join(
        f"{record[what]} {what}{of}, {record[f'failed_{what}']} failed, {record[f'removed_{what}']} removed as noise"
        for what, of in (("probes", f" of {record['people']} people"), ("distractors", ""))
    )
    print_protocol(record, told=told)
