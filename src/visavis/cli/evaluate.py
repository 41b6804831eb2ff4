"""visavis evaluate: how good is it, on whom, and how sure is that?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.cli import options
from visavis.cli.evaluate_bin import bin_sets
from visavis.cli.evaluate_ijb import ijb
from visavis.cli.evaluate_ijbs import ijbs
from visavis.cli.evaluate_low_resolution import low_resolution
from visavis.cli.evaluate_megaface import megaface
from visavis.cli.evaluate_open_set import open_set
from visavis.cli.evaluate_quality import quality
from visavis.cli.evaluate_rfw import rfw
from visavis.cli.evaluate_tinyface import tinyface
from visavis.cli.figures import print_verification
from visavis.cli.output import print_json, progress
from visavis.cli.tables import check_folder, check_suffix, write_table
from visavis.errors import UsageError

if TYPE_CHECKING:
    from visavis.protocols.evaluate import PairScores
    from visavis.protocols.pairs import PairList

app = typer.Typer(no_args_is_help=True, help="Measure accuracy on labelled pictures.", rich_markup_mode=None)
app.command("quality")(quality)
app.command("bin")(bin_sets)
app.command("ijb")(ijb)
app.command("ijbs")(ijbs)
app.command("rfw")(rfw)
app.command("tinyface")(tinyface)
app.command("low-resolution")(low_resolution)
app.command("megaface")(megaface)
app.command("open-set")(open_set)


@app.callback()
def _root() -> None:
    """Measure accuracy on labelled pictures."""


@app.command("pairs")
def pairs(
    pair_list: Annotated[
        Path, typer.Argument(metavar="LIST", help="LFW's pairs.txt, or CSV: image1,image2,same[,fold].")
    ],
    images: Annotated[Path, typer.Option("--images", help="Folder or tar archive of the pictures.")],
    report: Annotated[Path | None, typer.Option("--report", help="Write an HTML report card with plots.")] = None,
    scores: Annotated[
        Path | None, typer.Option("--scores", help="Write each pair's similarity: .csv, .parquet.")
    ] = None,
    set_name: Annotated[
        str | None, typer.Option("--set", help="The data set in the people ledger; else guessed.")
    ] = None,
    codes: Annotated[bool, typer.Option("--codes", help="Compare templates stored in one byte a value.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of drawn folds and of resamples.")] = 0,
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
    """Verification figures on a list of pairs, with intervals over people.

    Accuracy by folds, EER, AUC, TAR at FAR (an oracle threshold, read off these pairs) and, beside them, both
    error rates at the threshold that users get. The most central large face of each picture counts; a picture
    without one fails its pairs, and a failed pair is a rejection.

    Example: visavis evaluate pairs pairs.txt --images lfw.tar --report lfw.html
    """
    from visavis.io import open_store
    from visavis.protocols.evaluate import evaluate_pairs
    from visavis.protocols.ledger import Ledger
    from visavis.protocols.pairs import read_pairs
    from visavis.protocols.person_intervals import check_draws

    if pair_list.suffix.lower() == ".bin":
        raise UsageError(
            f"{pair_list.name} is a verification file of aligned crops, not a list; run: visavis evaluate bin "
            f"{pair_list}"
        )
    check_draws(seed, resamples)
    check_suffix(scores)
    check_folder(report)
    if report is not None:
        from visavis._require import require

        require("matplotlib.figure", extra="plots", why="a report with plots")
    listed = read_pairs(pair_list)
    store = open_store(images)
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
        result, scored = evaluate_pairs(
            pipeline,
            listed,
            store,
            set_name=set_name or Ledger.load().guess_set(images),
            seed=seed,
            resamples=resamples,
            codes=codes,
            progress=advance,
        )
    record = result.to_dict()
    if scores is not None:
        _write_scores(scores, listed, scored)
    if report is not None:
        from visavis.protocols.report.card import write_report

        write_report(report, record)
    if as_json:
        print_json(record)
    else:
        print_verification(record)


def _write_scores(path: Path, listed: PairList, scored: PairScores) -> None:
    columns: dict[str, Any] = {
        "image1": listed.image1,
        "image2": listed.image2,
        "same": listed.same.astype(int),
        "similarity": scored.similarities,
    }
    if listed.fold is not None:
        columns["fold"] = listed.fold
    write_table(path, columns)
