"""visavis evaluate ijb: templates of many images, 1:1 and 1:N."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visavis.cli import options
from visavis.cli.figures import print_protocol
from visavis.cli.output import print_json, progress
from visavis.cli.tables import check_folder
from visavis.errors import UsageError

if TYPE_CHECKING:
    from visavis.protocols.ijb import IjbTemplates, IjbWeights
    from visavis.protocols.ijb_layout import IjbFolder


def ijb(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with meta/ and loose_crop/ of IJB-B or IJB-C.")],
    embeddings: Annotated[
        Path | None, typer.Option("--embeddings", help="An .npy file (N, D), a row an image; instead of --model.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Recogniser that embeds the loose crops: a name, a file or a pack folder."),
    ] = None,
    save: Annotated[
        Path | None, typer.Option("--save", help="Keep the embeddings of --model in this .npy file.")
    ] = None,
    one_to_n: Annotated[bool, typer.Option("--one-to-n", help="Identification instead of verification.")] = False,
    norm_weight: Annotated[
        bool, typer.Option("--norm-weight", help="Weigh each image by the norm of its embedding.")
    ] = False,
    detector_weight: Annotated[
        bool, typer.Option("--detector-weight", help="Weigh each image by its detection score.")
    ] = False,
    weights: Annotated[
        Path | None, typer.Option("--weights", help="An .npy file (N,) of weights, for example stored norms.")
    ] = None,
    seed: options.ResamplesSeed = 0,
    resamples: Annotated[int, typer.Option("--resamples", help="Resamples of subjects; 0 for no intervals.")] = 200,
    engine: options.Engine = None,
    precision: options.Precision = None,
    device: options.Device = None,
    threads: options.Threads = None,
    flip: options.Flip = False,
    policy: options.Policy = None,
    as_json: options.Json = False,
) -> None:
    """TAR at FAR over millions of template pairs, or rank and TPIR at FPIR in both galleries.

    A template is the mean of each medium, summed over its media, at unit norm. A failed image is left out; a template
    without any image left is a failure, and its pairs and searches are rejections. Thresholds are read off these very
    pairs. Intervals resample subjects.

    Example: visavis evaluate ijb IJBC --embeddings ijbc.npy --norm-weight --detector-weight
    """
    from visavis.protocols.embedding_file import read_column
    from visavis.protocols.ijb import IjbWeights, evaluate_ijb_identification, evaluate_ijb_verification
    from visavis.protocols.ijb_layout import IjbFolder
    from visavis.protocols.person_intervals import check_draws

    if embeddings is not None and (model is not None or save is not None):
        raise UsageError("give --embeddings, or --model (with --save), not both")
    settings = {
        "engine": engine,
        "precision": precision,
        "device": device,
        "threads": threads,
        "flip": flip,
        "policy": policy,
    }
    idle = [f"--{name}" for name, value in settings.items() if value is not None and value is not False]
    if embeddings is not None and idle:
        raise UsageError(f"{', '.join(idle)} would do nothing to --embeddings, which are made already; leave it out")
    check_draws(seed, resamples, least=0)
    check_folder(save)
    place = IjbFolder.find(folder)
    values = None if weights is None else read_column(weights, len(place.images().names))
    chosen = IjbWeights(norm=norm_weight, detector=detector_weight, values=values)
    evaluate = evaluate_ijb_identification if one_to_n else evaluate_ijb_verification
    if embeddings is not None:
        templates = _pooled(place, embeddings, chosen)
    else:
        templates = _embedded(place, chosen, save, model=model or options.DEFAULT_MODEL, **settings)
    record = evaluate(templates, seed=seed, resamples=resamples).to_dict()
    if as_json:
        print_json(record)
        return
    what = f"{record['templates']} templates, {record['failed_templates']} failed, of {record['people']} people"
    told = f"{record['probes']} probes" if one_to_n else f"{record['pairs']} pairs, {record['failed_pairs']} failed"
    print_protocol(record, told=f"{what}; {told}")


def _pooled(place: IjbFolder, embeddings: Path, weights: IjbWeights) -> IjbTemplates:
    from visavis.protocols.ijb import pool_ijb

    return pool_ijb(place, embeddings, weights=weights)


def _embedded(place: IjbFolder, weights: IjbWeights, save: Path | None, **settings: object) -> IjbTemplates:
    """Templates from the pictures, by way of a file of embeddings."""
    from visavis.protocols.ijb import embed_ijb, pool_ijb

    pipeline = options.build_pipeline(**settings)  # type: ignore[arg-type]
    with ExitStack() as stack:
        path = save or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "embeddings.npy"
        advance = stack.enter_context(progress("embedding"))
        recogniser, failed = embed_ijb(pipeline, place, path, progress=advance)
        return pool_ijb(place, path, weights=weights, recogniser=recogniser, failed_images=failed)
