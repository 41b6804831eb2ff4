"""visavis evaluate bin: the verification files of InsightFace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from visavis.cli import options
from visavis.cli.figures import print_verification
from visavis.cli.output import console, print_json, progress, rate


def bin_sets(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="lfw.bin, cfp_fp.bin, agedb_30.bin ...: aligned crops.")
    ],
    seed: options.ResamplesSeed = 0,
    resamples: options.Resamples = 1000,
    model: options.Model = options.DEFAULT_MODEL,
    engine: options.Engine = None,
    precision: options.Precision = None,
    device: options.Device = None,
    threads: options.Threads = None,
    flip: Annotated[
        bool, typer.Option("--flip", help="Add the embedding of the mirrored crop; twice the time.")
    ] = False,
    policy: options.Policy = None,
    as_json: options.Json = False,
) -> None:
    """Verification figures on ready crops, and what InsightFace's script would print.

    The files hold pairs of crops that are aligned by the ArcFace template, so nothing is detected. A failed crop fails
    its pairs, and a failed pair is a rejection.

    Example: visavis evaluate bin lfw.bin agedb_30.bin --flip
    """
    from visavis.protocols.bin_sets import evaluate_bin
    from visavis.protocols.person_intervals import check_draws

    check_draws(seed, resamples)
    pipeline = options.build_pipeline(
        model=model, engine=engine, precision=precision, device=device, threads=threads, policy=policy
    )
    found = []
    for path in files:
        with progress(path.name) as advance:
            found.append(
                evaluate_bin(pipeline, path, flip=flip, seed=seed, resamples=resamples, progress=advance).to_dict()
            )
    if as_json:
        print_json({"kind": "bin", "flip": flip, "sets": found})
        return
    out = console()
    for record in found:
        out.print(record["set"])
        print_verification(record)
        printed = record["insightface"]
        line = f"InsightFace's rule: XNorm {printed['xnorm']:.4f}, accuracy {_with_spread(printed, 'accuracy')}"
        if "accuracy_flip" in printed:
            line += f", with flipping {_with_spread(printed, 'accuracy_flip')}"
        out.print(line)


def _with_spread(printed: dict[str, float], name: str) -> str:
    return f"{rate(printed[name])} +- {rate(printed[f'{name}_std'])}"
