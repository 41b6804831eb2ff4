"""visavis export: a trained recogniser as an ONNX file with its card, calibration and accuracy."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from visavis._require import require
from visavis.cli import options
from visavis.cli.output import console, print_json, progress, shown
from visavis.cli.tables import check_folder
from visavis.errors import UsageError

if TYPE_CHECKING:
    from visavis.training.recipes.export import Exported


NOT_STATED = "not stated"


def export(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="Folder of a run of visavis train, or a released checkpoint.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Where the network goes: NAME.onnx.")],
    weights: Annotated[
        str, typer.Option("--weights", help="Of a run: best (by what it watched, else the last) or last.")
    ] = "best",
    layout: Annotated[
        str | None, typer.Option("--layout", help="Project that released the checkpoint: insightface, adaface ...")
    ] = None,
    backbone: Annotated[
        str | None, typer.Option("--backbone", help="Network of the checkpoint; else the one that its keys fit.")
    ] = None,
    storage: Annotated[
        str, typer.Option("--storage", help="How weights lie in the file: fp32, fp16 or int8; all compute in fp32.")
    ] = "fp32",
    name: Annotated[str, typer.Option("--name", help="What the model is called; else the name of the file.")] = "",
    licence: Annotated[str, typer.Option("--licence", help="Terms of the weights of a run.")] = NOT_STATED,
    use: Annotated[
        str, typer.Option("--use", help="Of a run: research, or any where the pictures allow it.")
    ] = "research",
    people: Annotated[
        Path | None,
        typer.Option("--calibrate", help="Folder or archive, a folder a person, of people of role calibrate."),
    ] = None,
    mated: Annotated[
        Path | None, typer.Option("--mated", help="Other labelled pictures for the pairs of one person.")
    ] = None,
    without: Annotated[
        str | None,
        typer.Option("--without", help="CSV list of mated pictures to leave out; list.csv:COLUMN: those with 1 in it."),
    ] = None,
    population: Annotated[str, typer.Option("--population", help="Whom the pictures of --calibrate show.")] = "",
    pairs: Annotated[Path | None, typer.Option("--pairs", help="Pair list to measure accuracy on.")] = None,
    images: Annotated[Path | None, typer.Option("--images", help="Folder or archive of its pictures.")] = None,
    as_json: options.Json = False,
) -> None:
    """Write a network as ONNX, prove that it gives the same embeddings, and write its card.

    With --calibrate, operating points are fitted and lie beside the file, where verify and all other commands find
    them; with --pairs, accuracy is measured and goes into the card. The file goes to --model of every command.

    Example: visavis export runs/first --out mine.onnx --calibrate people/ --population "visitors, passport photos"
    """
    require("torch", extra="export", why="export")
    if people is not None and not population.strip():
        raise UsageError("--population says whom the pictures of --calibrate show; no rate is printed without it")
    _refuse(people is None, "--calibrate", {"--mated": mated, "--without": without, "--population": population})
    _refuse(layout is None, "--layout", {"--backbone": backbone})
    if layout is not None and (weights, licence, use) != ("best", NOT_STATED, "research"):
        raise UsageError("--weights, --licence and --use are of a run; a released checkpoint has its own terms")
    if (pairs is None) != (images is None):
        raise UsageError("accuracy needs both --pairs LIST and --images PICTURES")
    check_folder(out)
    from visavis.data.selection import merged_names
    from visavis.training.recipes.measure import calibrate_export, evaluate_export

    left_out = [] if without is None else merged_names([without])
    if layout is None:
        exported = _of_run(source, out, weights=weights, licence=licence, use=use, name=name, storage=storage)
    else:
        exported = _of_checkpoint(source, out, layout=layout, backbone=backbone, name=name, storage=storage)
    document: dict[str, Any] = {"parity": exported.parity, "kept": exported.kept, "calibration": None, "accuracy": None}
    if people is not None:
        with progress("calibrating") as advance:
            exported, fitted = calibrate_export(
                exported, people, mated=mated, without=left_out, population=population, progress=advance
            )
        document["calibration"] = {"population": fitted.population, "points": _points(fitted)}
    if pairs is not None and images is not None:
        with progress("evaluating") as advance:
            exported, result = evaluate_export(exported, pairs, images, progress=advance)
        chosen = ("accuracy", "accuracy_interval", "pairs", "people", "failed", "tar_at_far", "shipped", "roles")
        document["accuracy"] = {key: result[key] for key in chosen}
    document |= {"out": str(exported.path), "card": exported.card.to_dict()}
    if as_json:
        print_json(document)
    else:
        _print(document)


def _of_run(source: Path, out: Path, *, weights: str, licence: str, use: str, name: str, storage: str) -> Exported:
    from visavis.cards import Use
    from visavis.runtime.storage import Storage
    from visavis.training.recipes.export import export_run
    from visavis.training.recipes.trained import Which, read_run

    trained = read_run(source, which=cast(Which, weights))
    return export_run(trained, out, licence=licence, use=cast(Use, use), name=name, storage=cast(Storage, storage))


def _of_checkpoint(source: Path, out: Path, *, layout: str, backbone: str | None, name: str, storage: str) -> Exported:
    from visavis.nn.checkpoints.load import load_released
    from visavis.runtime.storage import Storage
    from visavis.training.recipes.export import export_released

    released = load_released(source, layout, backbone=backbone)
    return export_released(released, out, name=name, storage=cast(Storage, storage))


def _refuse(absent: bool, option: str, others: dict[str, Any]) -> None:
    """Refuse options that say nothing without another one."""
    given = [name for name, value in others.items() if value]
    if absent and given:
        raise UsageError(f"{', '.join(given)} goes with {option} only")


def _points(fitted: Any) -> list[dict[str, float]]:
    return [{"fmr": point.fmr, "threshold": point.threshold} for point in fitted.points]


def _print(document: dict[str, Any]) -> None:
    card, screen = document["card"], console()
    screen.print(f"{card['name']} in {shown(document['out'])}, {card['dimension']} values, {card['use']} use")
    screen.print(f"sha256 {card['sha256']}; unit embeddings differ from torch by {document['parity']:.1e} at most")
    if document["kept"] < 1 - 1e-6:
        screen.print(f"weights in fewer bytes keep a cosine of {document['kept']:.5f} at least")
    screen.print(f"trained on {card['trained_on']}")
    if document["calibration"] is not None:
        shown_points = [one for one in document["calibration"]["points"] if _is_round(one["fmr"])]
        points = ", ".join(f"{one['threshold']:.4f} at fmr={one['fmr']:g}" for one in shown_points)
        screen.print(f"thresholds {points}; population: {document['calibration']['population']}")
    if document["accuracy"] is not None:
        screen.print(card["notes"][-1])


def _is_round(rate: float) -> bool:
    """Whether a rate is a power of ten."""
    exponent = math.log10(rate)
    return abs(exponent - round(exponent)) < 1e-6
