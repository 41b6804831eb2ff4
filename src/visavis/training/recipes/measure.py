"""What an exported recogniser is worth: operating points of people set aside, and accuracy on a pair list."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from visavis.calibration.table import Calibration
from visavis.data.data_set import data_set_of
from visavis.io import open_store
from visavis.io.atomic import write_output
from visavis.pipeline.models import CALIBRATION_SUFFIX
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.calibrate import calibrate
from visavis.protocols.evaluate import evaluate_pairs
from visavis.protocols.labelled import read_labelled
from visavis.protocols.ledger import Ledger, require_disjoint
from visavis.protocols.pairs import read_pairs
from visavis.protocols.people import pair_people
from visavis.runtime.brought import CARD_SUFFIX
from visavis.training.recipes.export import Exported

Progress = Callable[[int, int], None]
RESULT_SUFFIX = ".pairs.json"


def calibrate_export(
    exported: Exported,
    people: str | Path,
    *,
    mated: str | Path | None = None,
    without: Iterable[str] = (),
    population: str,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Exported, Calibration]:
    """Fit operating points for an export and write them beside it, where every command finds them.

    Args:
        exported: See `export_run`.
        people: Folder or archive with one folder a person, for the pairs of two persons; people of another role than
            ``calibrate`` are left out.
        mated: The same for the pairs of one person; ``people`` when None.
        without: Pictures of the mated side to leave out.
        population: Whom the impostors are; printed with every rate.
        seed: Of what is drawn.
        progress: Called with the number of pictures done and of all.

    Returns:
        The export, with the people that it was fitted on among its people, and the calibration.

    Raises:
        UsageError: Somebody was trained on too, or too few people.
    """
    nonmated = read_labelled(people, without=() if mated else without)
    genuine = None if mated is None else read_labelled(mated, without=without)
    fitted_on = {(side.set_name, name) for side in (nonmated, genuine) if side is not None for name in side.people}
    require_disjoint(_known(exported.people), _known(fitted_on))
    pipeline = Pipeline(model=exported.path)
    name = f"{exported.card.name}.{exported.card.sha256[:8]}"
    fitted = calibrate(pipeline, nonmated, genuine, name=name, population=population, seed=seed, progress=progress)
    write_output(_beside(exported.path, CALIBRATION_SUFFIX), json.dumps(fitted.to_dict(), indent=1).encode())
    return replace(exported, people=exported.people | fitted_on), fitted


def evaluate_export(
    exported: Exported, pairs: str | Path, images: str | Path, *, progress: Progress | None = None
) -> tuple[Exported, dict[str, Any]]:
    """Measure an export on a pair list, write the result beside it and a line of it into its card.

    Args:
        exported: See `export_run`.
        pairs: LFW's pairs.txt, or CSV.
        images: Folder or archive of the pictures.
        progress: Called with the number of pictures done and of all.

    Returns:
        The export with its new card, and the result as plain JSON types.

    Raises:
        UsageError: Somebody on the list was trained on, chosen on or calibrated on.
    """
    listed = read_pairs(pairs)
    people = pair_people(listed)
    set_name = data_set_of({*people.person1, *people.person2}, path=str(images), ledger=Ledger.load()).name
    require_disjoint(_known(exported.people), _known((set_name, name) for name in (*people.person1, *people.person2)))
    result, _ = evaluate_pairs(
        Pipeline(model=exported.path), listed, open_store(images), set_name=set_name, progress=progress
    )
    record = result.to_dict()
    write_output(_beside(exported.path, RESULT_SUFFIX), json.dumps(record, indent=1).encode())
    low, high = record["accuracy_interval"]
    note = (
        f"Accuracy {record['accuracy']:.4f} ({low:.4f} .. {high:.4f}, 95 % over people) on {record['pairs']} pairs of "
        f"{Path(images).name}, people of roles {record['roles']}."
    )
    card = replace(exported.card, notes=(*exported.card.notes, note))
    write_output(_beside(exported.path, CARD_SUFFIX), json.dumps(card.to_dict(), indent=2).encode())
    return replace(exported, card=card), record


def _known(people: Iterable[tuple[str | None, str]]) -> set[tuple[str | None, str]]:
    """Those of a data set with a name: the same name elsewhere may be another person."""
    return {(set_name, name) for set_name, name in people if set_name is not None}


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
