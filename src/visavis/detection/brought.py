"""Detectors that a user brings as files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from visavis.cards import InputContract, LocalFile, WeightCard
from visavis.errors import ModelError
from visavis.runtime.brought import Family, Interface, card_beside, choose_family, read_interface

_LOADER = "visavis.detection.onnx_detector:OnnxDetector"

FAMILIES = {
    "scrfd": Family(
        ("det_*.onnx", "scrfd_*.onnx"),
        WeightCard(
            name="scrfd",
            kind="detector",
            loader=_LOADER,
            sources=(LocalFile("scrfd.onnx"),),
            sha256="",
            licence="InsightFace models: non-commercial research",
            use="research",
            trained_on="WIDER FACE",
            contract=InputContract("rgb", mean=127.5, scale=1 / 128, size=None, multiple=32, template=""),
            decoder="scrfd",
            paper="Guo et al., Sample and Computation Redistribution for Efficient Face Detection, 2021",
        ),
    ),
    "retinaface": Family(
        ("retinaface*.onnx", "facedetector.onnx"),
        WeightCard(
            name="retinaface",
            kind="detector",
            loader=_LOADER,
            sources=(LocalFile("retinaface.onnx"),),
            sha256="",
            licence="MIT (code); weights trained on WIDER FACE",
            use="research",
            trained_on="WIDER FACE",
            contract=InputContract("bgr", mean=(104.0, 117.0, 123.0), size=None, multiple=32, template=""),
            decoder="retinaface",
            paper="Deng et al., RetinaFace: Single-Shot Multi-Level Face Localisation in the Wild, 2020",
            notes=("Priors, variances and means of github.com/biubug6/Pytorch_Retinaface.",),
        ),
    ),
}
"""Contract name -> how such detectors are fed and read."""


def fitted(card: WeightCard, interface: Interface) -> WeightCard:
    """The card with what the file itself says: its fixed size, and whether it takes several pictures at once.

    Exports without a batch axis in their outputs, or with a batch of 1 written into the graph, are run on one
    picture after the other.
    """
    count, _, height, width = interface.image
    size = (height, width) if height is not None and width is not None else None
    batch = count is None and all(len(shape) == 3 for shape in interface.outputs)
    return replace(card, contract=replace(card.contract, size=size, batch=batch))


def brought_card(path: str | Path, *, contract: str | None = None) -> WeightCard:
    """The card of a detector that a user brings.

    Taken from ``<file>.card.json`` beside the file, else from the named contract, else from what the file is
    called. The hash is computed when the weights are loaded.

    Args:
        path: An ONNX file.
        contract: A key of `FAMILIES`.

    Raises:
        ModelError: No file, no detector, or nothing says how to feed it.
    """
    card = card_beside(path) if contract is None else None
    if card is None:
        return fitted(choose_family(path, FAMILIES, contract=contract), read_interface(path))
    if card.kind != "detector":
        raise ModelError(f"the card beside {path} is of an {card.kind}, not of a detector", reason="model.card")
    return card
