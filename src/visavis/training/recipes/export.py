"""From a run to a recogniser that every command takes: an ONNX file with its card."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from visavis.cards import InputContract, LocalFile, Use, WeightCard
from visavis.errors import ModelError, UsageError
from visavis.geometry import ARCFACE_112, TEMPLATES, CropTemplate
from visavis.io.atomic import write_output
from visavis.nn.backbones.backbone import Backbone
from visavis.nn.onnx_export import export_onnx, torch_embeddings
from visavis.nn.pixels import normalise
from visavis.protocols.ledger import Ledger
from visavis.recognition.onnx_embedder import OnnxEmbedder
from visavis.runtime.brought import CARD_SUFFIX
from visavis.runtime.cache import sha256
from visavis.training.recipes.trained import Trained

REWRITES = ("free-axes", "fold-batch-norm", "split-prelu")
TOLERANCE = 1e-4
"""Largest difference of unit embeddings between torch and the runtime that an export may have."""

_PICTURES = 9


@dataclass(frozen=True, slots=True)
class Exported:
    """An export.

    Attributes:
        path: The ONNX file; the card lies beside it as ``NAME.onnx.card.json``.
        card: Its card.
        parity: Largest difference of an element of the unit embeddings, torch against the runtime after its rewrites,
            over batches of one, two and six random crops.
    """

    path: Path
    card: WeightCard
    parity: float


def export_run(trained: Trained, out: str | Path, *, licence: str, use: Use = "research", name: str = "") -> Exported:
    """Write the ONNX file and the card of a run, and prove that they do what the network did.

    Args:
        trained: See `read_run`.
        out: ``NAME.onnx``.
        licence: SPDX name, or in words.
        use: ``research`` or ``any``; pictures of a set that the people ledger knows allow research only.
        name: What the model is called; the name of the file when empty.

    Raises:
        UsageError: A path that is no ``.onnx``, or a use that the pictures do not allow.
        ModelError: The file does not give the embeddings of torch.
    """
    path = Path(out)
    if path.suffix.lower() != ".onnx":
        raise UsageError(f"an export is an ONNX file, --out NAME.onnx; got {path}")
    if use not in get_args(Use):
        raise UsageError(f"the use of weights is any or research; got {use!r}")
    known = [part["set"] for part in trained.record["train"] if part["set"] in Ledger.load().sets]
    if use == "any" and known:
        raise UsageError(f"weights trained on {', '.join(known)} are for research only; leave --use out")
    template = template_of(trained.template)
    data = export_onnx(trained.backbone, size=template.width)
    contract = replace(trained.backbone.contract, size=(template.height, template.width), template=template.name)
    card = WeightCard(
        name=name or path.stem,
        kind="embedder",
        loader="visavis.recognition.onnx_embedder:OnnxEmbedder",
        sources=(LocalFile(str(path)),),
        sha256=sha256(data),
        licence=licence,
        use=use,
        trained_on=trained_on(trained.record),
        contract=contract,
        dimension=trained.backbone.dimension,
        rewrites=REWRITES,
        notes=_notes(trained),
    )
    write_output(path, data)
    parity = measured_parity(trained.backbone, card)
    if not parity <= TOLERANCE:
        path.unlink(missing_ok=True)
        raise ModelError(
            f"the exported network differs from torch by {parity:.2g} in its unit embeddings (at most {TOLERANCE:g} is "
            "accepted); it was not kept",
            reason="model.export",
        )
    write_output(path.with_name(path.name + CARD_SUFFIX), json.dumps(card.to_dict(), indent=2).encode())
    return Exported(path, card, parity)


def template_of(name: str) -> CropTemplate:
    """The template by which the inference road cuts crops like those of a pack.

    Packs of another size than 112 follow ArcFace's points, scaled (``arcface-56``): their networks get crops of 112
    pixels and resize them.

    Raises:
        ModelError: No template of that name.
    """
    if name in TEMPLATES:
        return TEMPLATES[name]
    if name.startswith("arcface-"):
        return ARCFACE_112
    raise ModelError(f"no template {name!r} cuts such crops; known: {', '.join(TEMPLATES)}", reason="model.card")


def measured_parity(backbone: Backbone, card: WeightCard) -> float:
    """Largest difference of unit embeddings between torch and the runtime, from pixels on, for several batches."""
    embedder = OnnxEmbedder(card)
    side = (card.contract.size or (112, 112))[0]
    pixels = np.random.default_rng(0).integers(0, 256, (_PICTURES, side, side, 3), np.uint8)
    wanted = _unit(torch_embeddings(backbone, _inputs(pixels, card.contract)))
    parts = [embedder.raw(pixels[:1]), embedder.raw(pixels[1:3]), embedder.raw(pixels[3:])]
    return float(np.abs(_unit(np.concatenate(parts)) - wanted).max())


def trained_on(record: Any) -> str:
    """One line on the data of a run, from its record."""
    parts = []
    for part in record["train"]:
        roles = ", ".join(f"{count} of role {role}" for role, count in part["roles"].items())
        people = f"{part['identities']} people" + (f" ({roles})" if roles else "")
        parts.append(f"{part['set'] or 'a set of its own'}: {part['crops']} crops of {people}")
    return "; ".join(parts)


def _notes(trained: Trained) -> tuple[str, ...]:
    recipe = trained.record["recipe"]
    average = ", moving average" if trained.averaged else ""
    made = (
        f"{recipe['backbone']['name']} with {recipe['loss']['name']}, {trained.step} steps{average}, by visavis train."
    )
    return (made, f"People ledger {trained.record['ledger'][:12]}.")


def _inputs(pixels: NDArray[np.uint8], contract: InputContract) -> NDArray[np.float32]:
    import torch

    return np.ascontiguousarray(normalise(torch.from_numpy(pixels), contract).numpy())


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    values = vectors.astype(np.float64)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values
