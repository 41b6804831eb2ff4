"""What a run made: its recipe, and the backbone with its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from visavis.errors import ModelError, UsageError, VisavisError
from visavis.io.files import read_file
from visavis.nn.backbones.backbone import Backbone
from visavis.training.checkpoints import BEST, load_checkpoint, newest_checkpoint
from visavis.training.engine import CHECKPOINTS, RECORD
from visavis.training.recipes.adaptation import Adaptation
from visavis.training.recipes.part import Part
from visavis.training.recipes.recognizability import Recognizability
from visavis.training.recipes.seen import PEOPLE
from visavis.training.records import from_record

Which = Literal["best", "last"]
_PREFIX = "backbone."


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A trained backbone.

    Attributes:
        backbone: In evaluation mode.
        record: ``run.json`` of the run.
        step: Optimiser steps behind the weights.
        averaged: Whether they are the moving average.
        template: Name of the landmark template of the crops it was trained on.
        people: Whom it was trained on or chosen on: data set, or None, and identity.
    """

    backbone: Backbone
    record: Mapping[str, Any]
    step: int
    averaged: bool
    template: str
    people: frozenset[tuple[str | None, str]]


def read_run(run: str | Path, *, which: Which = "best") -> Trained:
    """The backbone of a run of `train_recogniser`.

    Args:
        run: Folder of the run.
        which: ``best``: the checkpoint that the run's watched measure chose, or the last where nothing was
            watched; ``last``: the last one. The moving average is taken where the run has one.

    Raises:
        ModelError: No run of a recogniser, no checkpoint, or a newest one that cannot be read.
        UsageError: Another word for ``which``.
    """
    if which not in get_args(Which):
        raise UsageError(f"weights are best or last; got {which!r}")
    folder = Path(run)
    if not (folder / RECORD).is_file():
        raise ModelError(f"{folder} holds no run of visavis train: it has no {RECORD}", reason="model.missing")
    state = _state(folder / CHECKPOINTS, which)
    try:
        record = json.loads(read_file(folder / RECORD))
        people = json.loads(read_file(folder / PEOPLE))
        part = record["recipe"]["backbone"]
        backbone: Backbone = Part(part["name"], part["options"]).build("backbone")
        if record["recipe"].get("adaptation") is not None:
            backbone = from_record(record["recipe"]["adaptation"], Adaptation).apply(backbone)
        if record["recipe"].get("recognizability") is not None:
            backbone = from_record(record["recipe"]["recognizability"], Recognizability).network(backbone)
        averaged = state["average"] is not None
        weights = {**state["task"], **(state["average"]["values"] if averaged else {}), **state.get("settled", {})}
        backbone.load_state_dict(
            {name.removeprefix(_PREFIX): value for name, value in weights.items() if name.startswith(_PREFIX)}
        )
        template = str(record["train"][0]["template"])
        known = frozenset((group["set"], name) for group in people for name in group["identities"])
    except (VisavisError, ValueError, KeyError, TypeError, IndexError, RuntimeError) as error:
        raise ModelError(
            f"{folder} holds no run of a recogniser that can be read: {str(error).splitlines()[0][:200]}",
            reason="model.damaged",
        ) from error
    return Trained(backbone.eval(), record, state["step"], averaged, template, known)


def _state(folder: Path, which: Which) -> Mapping[str, Any]:
    if which == "best" and (folder / BEST).is_file():
        return load_checkpoint(folder / BEST)
    state = newest_checkpoint(folder)
    if state is None:
        raise ModelError(f"{folder.parent} has no checkpoint yet; let it train longer", reason="model.missing")
    return state
