"""visavis train: make a recogniser from packs of crops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis._require import require
from visavis.cli import options
from visavis.cli.output import console, print_json, shown
from visavis.errors import ProcessError, UsageError, VisavisError

if TYPE_CHECKING:
    from visavis.data.pack import Pack
    from visavis.training.engine import Observer, Outcome, StepReport
    from visavis.training.group import Group
    from visavis.training.recipes.recipe import RecogniserRecipe

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


def train(
    recipe: Annotated[
        str | None, typer.Argument(help="A recipe: a name such as small, or a YAML file. See --recipes.")
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", help="A pack, or a folder of the packs train and develop; may be given several times."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the run.")] = None,
    develop: Annotated[Path | None, typer.Option("--develop", help="Pack of other people to validate on.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    epochs: Annotated[float | None, typer.Option("--epochs", help="Another length than the recipe's.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Another length, in optimiser steps.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Another seed than the recipe's.")] = None,
    device: Annotated[str | None, typer.Option("--device", help="cpu or cuda; else the recipe's.")] = None,
    precision: Annotated[str | None, typer.Option("--precision", help="fp32, bf16 or fp16; else the recipe's.")] = None,
    threads: Annotated[int | None, typer.Option("--threads", help="Threads of torch.")] = None,
    recipes: Annotated[bool, typer.Option("--recipes", help="List the recipes and end.")] = False,
    parts: Annotated[bool, typer.Option("--parts", help="List the networks and losses of recipes and end.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the recipe as YAML and end.")] = False,
    as_json: options.Json = False,
) -> None:
    """Train a recogniser on packs, and go on after an interruption bit for bit with --resume.

    People of role test or calibrate are refused. The folder of the run holds checkpoints, run.json, log.csv,
    evaluations.csv and events for TensorBoard. Ctrl-C ends the step and writes a checkpoint. Under torchrun each of
    its processes takes a share of every batch.

    Example: visavis train small --data packs/ --out runs/first
    """
    require("torch", extra="train", why="training")
    if recipes and parts:
        raise UsageError("--recipes and --parts are two lists; ask for one")
    if recipes or parts:
        _list("recipe/*" if recipes else "[bl]*/*", as_json)
        return
    if recipe is None:
        raise UsageError("a recipe is needed: a name or a YAML file; `visavis train --recipes` lists the names")
    from visavis.training.recipes.read import read_recipe, write_recipe

    def read() -> RecogniserRecipe:
        told = {"seed": seed, "device": device, "precision": precision, "threads": threads}
        return changed(read_recipe(recipe), epochs=epochs, steps=steps, **told)

    if show:
        chosen = read()
        print_json(chosen.to_record()) if as_json else typer.echo(write_recipe(chosen), nl=False)
        return
    if not data or out is None:
        read()  # what is wrong with the recipe is told first
        raise UsageError("training needs --data, a pack or a folder of packs, and --out, the folder of the run")
    from visavis.training.recipes.run import train_recogniser

    with _one_speaks(read, device) as (group, chosen):
        with group.agreed():
            packs, other = _packs(data, develop)
        with _progress(shown=group.is_first) as observe:
            outcome = train_recogniser(chosen, packs, develop=other, out=out, resume=resume, observe=observe)
        if group.is_first:
            _tell(outcome, out, as_json)


def _tell(outcome: Outcome, out: Path, as_json: bool) -> None:
    """How the run ended."""
    from visavis.training.recipes.run import trained_of

    trained = trained_of(out)
    document = {
        "out": str(out),
        "ended": outcome.ended,
        "steps": outcome.step,
        "checkpoint": str(outcome.checkpoint),
        "best": None if outcome.best is None else str(outcome.best),
        "develop": dict(outcome.evaluation),
        "trained": trained,
    }
    if as_json:
        print_json(document)
        return
    screen = console()
    screen.print(f"{outcome.ended} after {outcome.step} steps; the last checkpoint is {shown(outcome.checkpoint)}")
    if trained is not None:
        share = f"{100 * trained['share']:.2f} % of the network"
        screen.print(f"{trained['trained']:,} weights were trained, {share}; {trained['frozen']:,} rest")
    if outcome.evaluation:
        told = ", ".join(f"{name} {value:.4f}" for name, value in outcome.evaluation.items())
        screen.print(f"on the people set aside (oracle thresholds): {told}")


def _list(pattern: str, as_json: bool) -> None:
    from visavis import registry

    rows = []
    for name in registry.names(pattern):
        entry = registry.describe(name)
        if entry.kind in ("recipe", "backbone", "loss"):
            more = {"source": registry.load(name).source} if entry.kind == "recipe" else {}
            rows.append({"name": name, "line": entry.line, **more})
    if as_json:
        print_json({"entries": rows})
        return
    for row in rows:
        console().print(f"{row['name']:30} {row['line']}" + (f"\n{'':30} {row['source']}" if "source" in row else ""))


def changed(recipe: RecogniserRecipe, *, epochs: float | None, steps: int | None, **others: Any) -> RecogniserRecipe:
    """The recipe with what the command line says."""
    if epochs is not None and steps is not None:
        raise UsageError("a run has a length in --epochs or in --steps, not in both")
    changes = {name: value for name, value in others.items() if value is not None}
    if epochs is not None or steps is not None:
        changes |= {"epochs": epochs, "steps": steps}
    return replace(recipe, training=replace(recipe.training, **changes)) if changes else recipe


def _packs(places: list[Path], develop: Path | None) -> tuple[list[Pack], Pack | None]:
    """The packs to train on, and the one to validate on."""
    from visavis.data.pack import META, Pack

    packs: list[Pack] = []
    beside: list[Path] = []
    for place in places:
        if (place / META).is_file() or not (place / "train" / META).is_file():
            packs.append(Pack.open(place))
            continue
        packs.append(Pack.open(place / "train"))
        if (place / "develop" / META).is_file():
            beside.append(place / "develop")
    if develop is None and len(beside) > 1:
        raise UsageError(f"several packs to validate on ({', '.join(map(str, beside))}); name one with --develop")
    chosen = develop or (beside[0] if beside else None)
    return packs, None if chosen is None else Pack.open(chosen)


@contextmanager
def _one_speaks(read: Callable[[], RecogniserRecipe], device: str | None) -> Iterator[tuple[Group, RecogniserRecipe]]:
    """The processes of a run and its recipe; of all processes, one tells what is wrong, the others end silently.

    Args:
        read: Gives the recipe.
        device: Given on the command line. How processes are connected depends on the device, so that those which
            could not read it in the recipe meet the others only where there is no choice.
    """
    from visavis.training.group import ALONE, joined

    group, failure = ALONE, None
    try:
        recipe = read()
    except VisavisError as error:
        if device is None and _has_cuda():
            raise
        failure = error
    try:
        with joined((device or "cpu") if failure else recipe.training.device) as group:
            with group.agreed():
                if failure is not None:
                    raise failure
            yield group, recipe
    except ProcessError as error:
        if not error.told:
            raise
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt:
        if group.is_first:
            raise
        raise SystemExit(INTERRUPTED) from None  # typer would tell of it


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


@contextmanager
def _progress(*, shown: bool) -> Iterator[Observer | None]:
    """A progress bar on stderr with loss and last validation; nothing where stderr is no terminal."""
    import sys

    if not shown or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[told]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _observer(bar, bar.add_task("training", total=None, told=""))


def _observer(bar: Any, task: Any) -> Callable[[StepReport], None]:
    last: dict[str, float] = {}

    def observe(report: StepReport) -> None:
        if report.evaluation is not None:
            last.update(report.evaluation)
        words = [f"{name} {value:.3f}" for name, value in report.losses.items() if not name.startswith("gradient/")]
        words += [f"{name} {value:.4f}" for name, value in last.items() if name in ("auc", "fnmr_at_fmr_0.01")]
        bar.update(task, completed=report.step, total=report.steps, told="  ".join(words))

    return observe
