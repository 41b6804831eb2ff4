"""visavis relabel: wrong labels of a pack are found, corrected or dropped by networks trained on them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from visavis._require import require
from visavis.cli import options
from visavis.cli.output import console, print_json, progress, rate, shown
from visavis.cli.train import changed

if TYPE_CHECKING:
    from visavis.training.recipes.relabelling import Cleaned, Mode

_SHOWN = 5


def relabel(
    pack: Annotated[Path, typer.Argument(metavar="PACK", help="The pack whose labels are cleaned; it stays as it is.")],
    recipe: Annotated[str, typer.Option("--recipe", help="A recipe: a name such as small, or a YAML file.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of lists, the cleaned pack and the runs.")],
    rounds: Annotated[int, typer.Option("--rounds", help="Trainings, each on the labels of the one before.")] = 2,
    tau: Annotated[float, typer.Option("--tau", help="Probability from which a prediction replaces a label.")] = 0.7,
    min_images: Annotated[int, typer.Option("--min-images", help="Crops that an identity must be left with.")] = 2,
    mode: Annotated[
        str, typer.Option("--mode", help="hard: the recipe's loss; soft: targets between label and prediction.")
    ] = "hard",
    folds: Annotated[
        int, typer.Option("--folds", help="Networks a round, none judges what it was trained on; 1: one judges all.")
    ] = 2,
    drop_below: Annotated[
        float | None,
        typer.Option("--drop-below", help="Drop unsure crops only where their label is less probable than this."),
    ] = None,
    epochs: Annotated[float | None, typer.Option("--epochs", help="Another length than the recipe's.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Another length, in optimiser steps.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Another seed than the recipe's.")] = None,
    device: Annotated[str | None, typer.Option("--device", help="cpu or cuda; else the recipe's.")] = None,
    threads: Annotated[int | None, typer.Option("--threads", help="Threads of torch.")] = None,
    as_json: options.Json = False,
) -> None:
    """Clean the labels of a pack: train on them, predict every crop, keep, correct or drop each label, once more.

    The folder gets labels.csv, identities.csv, cleaned.pack and summary.json. No picture is deleted. A run that was
    stopped or killed goes on where it was when it is started again with the same words.

    Example: visavis relabel noisy.pack --recipe small --out cleaned
    """
    require("torch", extra="train", why="training")
    from visavis.data.pack import Pack
    from visavis.training.recipes.few_pictures import FewPicturesWarning
    from visavis.training.recipes.read import read_recipe
    from visavis.training.recipes.relabelling import Cleaning, clean_labels

    how = Cleaning(rounds, tau, min_images, cast("Mode", mode), folds, drop_below)
    chosen = changed(read_recipe(recipe), epochs=epochs, steps=steps, seed=seed, device=device, threads=threads)
    with warnings.catch_warnings(), progress("relabelling") as advance:
        warnings.simplefilter("ignore", UserWarning)  # what is left is told below
        warnings.simplefilter("always", FewPicturesWarning)
        warnings.showwarning = lambda told, *_: typer.echo(str(told), err=True)
        found = clean_labels(chosen, Pack.open(pack), how, out=out, progress=advance)
    few = [one for one in found.rounds if 2 * (one.kept + one.relabelled) < found.summary["crops"]]
    for one in few:
        typer.echo(
            f"round {one.number} left only {one.kept + one.relabelled} of {found.summary['crops']} crops: train longer "
            "or lower --tau, or what follows is worse than the noise",
            err=True,
        )
    if as_json:
        print_json(_record(found))
    else:
        _print(found)


def _record(found: Cleaned) -> dict[str, Any]:
    gone = [one for one in found.changes if one.state != "kept"]
    return {
        "out": str(found.out),
        **found.summary,
        "gone": [{"identity": one.identity, "state": one.state, "into": one.into} for one in gone],
    }


def _print(found: Cleaned) -> None:
    from rich.table import Table

    target = console()
    table = Table(box=None, pad_edge=False)
    for name in ("round", "kept", "relabelled", "dropped", "identities", "wrong labels, estimate", "mean probability"):
        table.add_column(name)
    for one in found.rounds:
        table.add_row(
            str(one.number),
            str(one.kept),
            str(one.relabelled),
            str(one.dropped),
            str(one.identities),
            rate(None if one.noise != one.noise else one.noise),
            rate(one.confidence),
        )
    target.print(table)
    gone = [one for one in found.changes if one.state != "kept"]
    if gone:
        target.print(f"{len(gone)} identities are gone; all are in {shown(found.out / 'identities.csv')}")
        for change in gone[:_SHOWN]:
            into = "" if change.into is None else f" into {shown(change.into)}"
            target.print(f"  {shown(change.identity)}  {change.state}{into}")
    left = found.summary["left"]
    target.print(
        f"{left['crops']} of {found.summary['crops']} crops of {left['identities']} identities are in "
        f"{shown(found.out / 'cleaned.pack')}; what became of each is in {shown(found.out / 'labels.csv')}"
    )
