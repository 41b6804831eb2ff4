"""What the weights of a run began with: an earlier run, or a model, whole or cut to size; for its record and card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from visavis.cards import WeightCard
from visavis.errors import VisavisError
from visavis.io.files import read_file
from visavis.nn.adapters.adapter_file import state_sha256
from visavis.recognition.default_card import SFACE
from visavis.training.engine import RECORD
from visavis.training.recipes.start import Start
from visavis.training.recipes.start_model import model_card
from visavis.training.recipes.trained import read_run

BEGAN = "began"


def origin(start: Start) -> dict[str, Any]:
    """What a start takes, for the record of the run that takes it.

    Returns:
        Of a model, and of a slimmed network, ``model``, ``licence``, ``use``, ``sha256`` and ``trained_on``; of a run
        ``run``, ``step``, the ``sha256`` of its weights, and what its own record says of ``train``, ``teacher`` and
        ``began``.

    Raises:
        ModelError: There is no run that can be read.
    """
    if start.slim:
        return _model(SFACE)
    if start.model:
        return _model(model_card(start.model))
    earlier = read_run(start.run)
    about = _described(start.run, earlier.record)
    return {**about, "step": earlier.step, "sha256": weights_sha256(earlier.backbone)}


def origins(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What the weights of a run began with, the nearest first, from its record.

    Records that were written before they said so are read all the same: the network that was slimmed is known, and of
    an earlier run its own record is looked for; where it is gone, ``train`` is None.
    """
    found: list[Mapping[str, Any]] = []
    begun = _began(record)
    while begun is not None:
        found.append(begun)
        begun = _began(begun)
    return found


def weights_sha256(module: nn.Module) -> str:
    """Hexadecimal sha256 of the names, types, shapes and values of all weights and statistics."""
    return state_sha256(module.state_dict())


def _began(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if record.get(BEGAN) is not None:
        kept: Mapping[str, Any] = record[BEGAN]
        return kept
    start = (record.get("recipe") or {}).get("start")
    if not start:
        return None
    if start.get("slim"):
        return _model(SFACE)
    if start.get("model"):
        return _model(model_card(start["model"]))
    try:
        return _described(start["run"], json.loads(read_file(Path(start["run"]) / RECORD)))
    except (VisavisError, ValueError, KeyError, TypeError):
        return {"run": start["run"], "train": None, "teacher": None}


def _described(run: str, record: Mapping[str, Any]) -> dict[str, Any]:
    return {"run": run, "train": record["train"], "teacher": record["teacher"], BEGAN: _began(record)}


def _model(card: WeightCard) -> dict[str, Any]:
    return {
        "model": card.name,
        "licence": card.licence,
        "use": card.use,
        "sha256": card.sha256,
        "trained_on": card.trained_on,
    }
