"""The recognisers that this package made itself, from the records that lie beside their weights."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files

from visavis.cards import PackageFile, WeightCard

_PAPER = "This package, docs/guides/own-models.md; distillation after Hinton et al. 2015"
WEIGHTS = "recognition/weights"
"""Folder of the weights inside the package."""


def own_card(name: str) -> WeightCard:
    """The card of ``embedder/NAME``, whose weights come with this package.

    Args:
        name: ``visavis-s``, ``visavis-vit-t`` or ``visavis-low``.
    """
    record = json.loads(files("visavis").joinpath(WEIGHTS, f"{name}.card.json").read_text(encoding="utf-8"))
    source = PackageFile("visavis", f"{WEIGHTS}/{name}.onnx", "visavis")
    return replace(
        WeightCard.from_dict(record), name=f"embedder/{name}", sources=(source,), calibration=name, paper=_PAPER
    )


SMALL_MOBILENET = own_card("visavis-s")
SMALL_TRANSFORMER = own_card("visavis-vit-t")
LOW_RESOLUTION = own_card("visavis-low")
