"""Recognisers that a user brings as files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from visavis.cards import InputContract, LocalFile, WeightCard
from visavis.errors import ModelError
from visavis.runtime.brought import Family, Interface, card_beside, choose_family, read_interface

_RGB = InputContract("rgb", mean=127.5, scale=1 / 127.5, size=(112, 112))
_BGR = InputContract("bgr", mean=127.5, scale=1 / 127.5, size=(112, 112))
_REWRITES = ("free-axes", "fold-batch-norm", "split-prelu")
_NORMALISED = "The network divides by the norm itself, so the norm of its embedding says nothing of quality."


def _family(
    name: str,
    files: tuple[str, ...],
    *,
    contract: InputContract,
    licence: str,
    paper: str,
    trained_on: str = "web photos of celebrities",
    notes: tuple[str, ...] = (),
) -> Family:
    card = WeightCard(
        name=name,
        kind="embedder",
        loader="visavis.recognition.onnx_embedder:OnnxEmbedder",
        sources=(LocalFile(f"{name}.onnx"),),
        sha256="",
        licence=licence,
        use="research",
        trained_on=trained_on,
        contract=contract,
        dimension=512,
        rewrites=_REWRITES,
        paper=paper,
        notes=notes,
    )
    return Family(files, card)


_ARCFACE = "Deng et al., ArcFace: Additive Angular Margin Loss for Deep Face Recognition, 2019"
_INSIGHTFACE = "InsightFace models: non-commercial research"

FAMILIES = {
    "arcface": _family(
        "arcface",
        ("w600k_*.onnx", "glintr100.onnx", "*ms1mv3*.onnx", "arcface_*.onnx"),
        contract=_RGB,
        licence=_INSIGHTFACE,
        paper=_ARCFACE,
        notes=("Packs of InsightFace and exports of arcface_torch.",),
    ),
    "adaface": _family(
        "adaface",
        ("adaface_*.onnx",),
        contract=_BGR,
        licence="MIT (code); weights trained on research-only data",
        paper="Kim et al., AdaFace: Quality Adaptive Margin for Face Recognition, 2022",
        notes=("Takes BGR.", _NORMALISED),
    ),
    "lvface": _family(
        "lvface",
        ("lvface*.onnx",),
        contract=_RGB,
        licence="MIT (code); models for non-commercial research",
        paper="You et al., LVFace: Progressive Cluster Optimization for Large Vision Models, 2025",
        trained_on="Glint360K",
    ),
    "edgeface": _family(
        "edgeface",
        ("edgeface_*.onnx",),
        contract=_RGB,
        licence="CC-BY-NC-SA-4.0",
        paper="George et al., EdgeFace: Efficient Face Recognition Model for Edge Devices, 2024",
        trained_on="WebFace260M",
    ),
    "arcface-mxnet": _family(
        "arcface-mxnet",
        ("arcfaceresnet100*.onnx",),
        contract=InputContract("rgb", size=(112, 112)),
        licence=_INSIGHTFACE,
        paper=_ARCFACE,
        notes=("Exports of MXNet: mean and scale are inside the network.",),
    ),
}
"""Contract name -> how such recognisers are fed."""


def embedding_dimension(interface: Interface, *, name: str) -> int:
    """The length of an embedding, read from the shape of the first output, which must end in it.

    Raises:
        ModelError: The file does not say.
    """
    last = interface.outputs[0][-1] if interface.outputs and interface.outputs[0] else None
    if last is None or last < 2:
        raise ModelError(
            f"{name} does not say the length of its embeddings: its outputs are {interface.outputs}; write a card with "
            "the dimension beside it",
            reason="model.refused",
        )
    return last


def brought_card(path: str | Path, *, contract: str | None = None) -> WeightCard:
    """The card of a recogniser that a user brings.

    Taken from ``<file>.card.json`` beside the file, else from the named contract, else from what the file is
    called. The hash is computed when the weights are loaded; thresholds need a calibration of one's own.

    Args:
        path: An ONNX file.
        contract: A key of `FAMILIES`.

    Raises:
        ModelError: No file, no recogniser, or nothing says how to feed it.
    """
    card = card_beside(path) if contract is None else None
    if card is not None:
        if card.kind != "embedder":
            raise ModelError(f"the card beside {path} is of a {card.kind}, not of an embedder", reason="model.card")
        return card
    card = choose_family(path, FAMILIES, contract=contract)
    interface = read_interface(path)
    sides = (interface.image[2] or 112, interface.image[3] or 112)
    if sides != card.contract.size:
        raise ModelError(
            f"{Path(path).name} takes pictures of {sides}, the contract says {card.contract.size}; name another one of "
            f"{', '.join(FAMILIES)} or write a card beside it",
            reason="model.refused",
        )
    return replace(card, dimension=embedding_dimension(interface, name=Path(path).name))
