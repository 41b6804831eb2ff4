"""From a run to a recogniser that every command takes: an ONNX file with its card."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from visavis import registry
from visavis.cards import LocalFile, Use, WeightCard
from visavis.errors import ModelError, UsageError
from visavis.geometry import ARCFACE_112, TEMPLATES, CropTemplate
from visavis.io.atomic import write_output
from visavis.nn.adapters.adapted import AdaptedBackbone
from visavis.nn.backbones.backbone import Backbone
from visavis.nn.checkpoints.load import Released
from visavis.nn.onnx_export import export_onnx
from visavis.nn.pixels import network_input
from visavis.protocols.ledger import UNLISTED, Ledger
from visavis.recognition.default_card import SFACE
from visavis.recognition.onnx_embedder import OnnxEmbedder
from visavis.runtime.brought import CARD_SUFFIX
from visavis.runtime.cache import sha256
from visavis.runtime.storage import Storage, store
from visavis.training.recipes.harmonic import LOSS as HARMONIC
from visavis.training.recipes.origin import origins
from visavis.training.recipes.trained import Trained

REWRITES = ("free-axes", "fold-batch-norm", "split-prelu")
TOLERANCE = 1e-4
"""Largest difference of unit embeddings between torch and the runtime that an export may have."""
LEAST_COSINE = 0.99
"""Least cosine of an embedding with that of torch where weights are stored in fewer bytes."""

_PICTURES = 9


@dataclass(frozen=True, slots=True)
class Exported:
    """An export.

    Attributes:
        path: The ONNX file; the card lies beside it as ``NAME.onnx.card.json``.
        card: Its card.
        people: Whom the weights were trained on or chosen on: data set, or None, and identity; empty when not known.
        parity: Largest difference of an element of the unit embeddings, torch against the runtime after its rewrites,
            over batches of one, two and six random crops; before the weights were stored in fewer bytes.
        kept: Least cosine of an embedding of these crops with that of torch, of the file as it is.
    """

    path: Path
    card: WeightCard
    parity: float
    kept: float = 1.0
    people: frozenset[tuple[str | None, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a card says of weights, beside how to feed them.

    Attributes:
        licence: SPDX name, or in words.
        use: What may be done with them.
        trained_on: The data.
        name: What the model is called; the name of the file when empty.
        paper: Publication.
        notes: What a reader must know.
        compatible_with: sha256 of older recognisers whose templates may be compared with those of this one.
    """

    licence: str
    use: Use
    trained_on: str
    name: str = ""
    paper: str = ""
    notes: tuple[str, ...] = ()
    compatible_with: tuple[str, ...] = ()


def export_backbone(
    backbone: Backbone, out: str | Path, terms: Terms, *, template: str, storage: Storage = "fp32"
) -> Exported:
    """Write the ONNX file and the card of a network, and prove that they do what the network does.

    Args:
        backbone: With its weights. One adapter a layer is merged; two are mixed within the graph.
        out: ``NAME.onnx``.
        terms: For the card.
        template: Name of the landmark template of the crops it was trained on.
        storage: How weights lie in the file; see `visavis.runtime.storage.store`.

    Raises:
        UsageError: A path that is no ``.onnx``, or an unknown storage.
        ModelError: The file does not give the embeddings of torch; it is not kept.
    """
    path = Path(out)
    if path.suffix.lower() != ".onnx":
        raise UsageError(f"an export is an ONNX file, --out NAME.onnx; got {path}")
    if isinstance(backbone, AdaptedBackbone):
        backbone = backbone.for_export()
    crops = template_of(template)
    whole = export_onnx(backbone, size=crops.width)
    data = store(whole, storage, name=path.name)
    draft = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.part")
    card = WeightCard(
        name=terms.name or path.stem,
        kind="embedder",
        loader="visavis.recognition.onnx_embedder:OnnxEmbedder",
        sources=(LocalFile(str(draft)),),
        sha256=sha256(whole),
        licence=terms.licence,
        use=terms.use,
        trained_on=terms.trained_on,
        contract=replace(backbone.contract, size=(crops.height, crops.width), template=crops.name),
        dimension=backbone.dimension,
        rewrites=REWRITES if storage == "fp32" else ("dequantise", *REWRITES),
        paper=terms.paper,
        notes=terms.notes,
        compatible_with=terms.compatible_with,
    )
    try:
        write_output(draft, whole)
        parity = measured_parity(backbone, card).difference
        write_output(draft, data)
        card = replace(card, sha256=sha256(data))
        kept = measured_parity(backbone, card).cosine
    finally:
        draft.unlink(missing_ok=True)
    if not parity <= TOLERANCE:
        raise ModelError(
            f"the exported network differs from torch by {parity:.2g} in its unit embeddings (at most {TOLERANCE:g} is "
            "accepted); it was not kept",
            reason="model.export",
        )
    if not kept >= LEAST_COSINE:
        raise ModelError(
            f"with weights stored as {storage} an embedding has a cosine of {kept:.3f} with that of torch (at least "
            f"{LEAST_COSINE:g} is accepted); it was not kept: take another --storage",
            reason="model.export",
        )
    told = f"Weights are stored as {storage}; least cosine to fp32 {kept:.5f} on random crops."
    stored = () if storage == "fp32" else (told,)
    card = replace(card, sources=(LocalFile(str(path)),), notes=(*card.notes, *stored))
    write_output(path, data)
    write_output(path.with_name(path.name + CARD_SUFFIX), json.dumps(card.to_dict(), indent=2).encode())
    return Exported(path, card, parity, kept)


def export_run(
    trained: Trained,
    out: str | Path,
    *,
    licence: str,
    use: Use = "research",
    name: str = "",
    storage: Storage = "fp32",
) -> Exported:
    """Export what a run made; see `export_backbone`.

    Args:
        trained: See `read_run`.
        out: ``NAME.onnx``.
        licence: SPDX name, or in words.
        use: ``research`` or ``any``; pictures of a set that the people ledger knows allow research only, in this run
            and in those that it began with.
        name: What the model is called; the name of the file when empty.
        storage: How weights lie in the file.

    Raises:
        UsageError: A path that is no ``.onnx``, or a use that the pictures do not allow.
        ModelError: The file does not give the embeddings of torch; it is not kept.
    """
    if use not in get_args(Use):
        raise UsageError(f"the use of weights is any or research; got {use!r}")
    known = _research_only(trained.record)
    if use == "any" and known:
        raise UsageError(f"weights made of {', '.join(known)} are for research only; leave --use out")
    terms = Terms(
        licence,
        use,
        _all_trained_on(trained.record),
        name=name,
        notes=_notes(trained),
        compatible_with=_compatible(trained.record),
    )
    exported = export_backbone(trained.backbone, out, terms, template=trained.template, storage=storage)
    return replace(exported, people=trained.people)


def export_released(released: Released, out: str | Path, *, name: str = "", storage: Storage = "fp32") -> Exported:
    """Export a checkpoint that others have released, under their terms; see `export_backbone`.

    Args:
        released: See `visavis.nn.checkpoints.load.load_released`.
        out: ``NAME.onnx``.
        name: What the model is called; the name of the file when empty.
        storage: How weights lie in the file.

    Raises:
        UsageError: A path that is no ``.onnx``.
        ModelError: The file does not give the embeddings of torch; it is not kept.
    """
    layout = released.layout
    notes = (f"From a checkpoint of {layout.name} with sha256 {released.sha256}.",)
    terms = Terms(layout.licence, layout.use, layout.trained_on, name=name, paper=layout.paper, notes=notes)
    template = released.backbone.contract.template
    return export_backbone(released.backbone, out, terms, template=template, storage=storage)


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


@dataclass(frozen=True, slots=True)
class Parity:
    """Torch against the runtime.

    Attributes:
        difference: Largest difference of an element of the unit embeddings.
        cosine: Least cosine of an embedding with its counterpart.
    """

    difference: float
    cosine: float


def measured_parity(backbone: Backbone, card: WeightCard) -> Parity:
    """The same crops through torch and through the runtime, from pixels on, in several batches."""
    embedder = OnnxEmbedder(card)
    side = (card.contract.size or (112, 112))[0]
    pixels = np.random.default_rng(0).integers(0, 256, (_PICTURES, side, side, 3), np.uint8)
    with torch.no_grad():
        wanted = _unit(backbone(network_input(torch.from_numpy(pixels), backbone.contract)).numpy())
    parts = [embedder.raw(pixels[:1]), embedder.raw(pixels[1:3]), embedder.raw(pixels[3:])]
    found = _unit(np.concatenate(parts))
    return Parity(float(np.abs(found - wanted).max()), float((found * wanted).sum(axis=1).min()))


def trained_on(record: Any) -> str:
    """One line on the data of a run, from its record."""
    parts = []
    for part in record["train"]:
        roles = [f"{count} of role {role}" for role, count in part["roles"].items() if role != UNLISTED]
        people = f"{part['identities']} people" + (f" ({', '.join(roles)})" if roles else "")
        parts.append(f"{part['set'] or 'a set of its own'}: {part['crops']} crops of {people}")
    return "; ".join(parts)


def _all_trained_on(record: Any) -> str:
    """One line on the data of a run and of what it began with."""
    told = [trained_on(record)]
    for begun in origins(record):
        if "model" in begun:
            told.append(f"{begun['model']}: {begun['trained_on']}")
        else:
            told.append("unknown" if begun["train"] is None else trained_on(begun))
    return "; ".join(dict.fromkeys(told))


def _research_only(record: Any) -> list[str]:
    """What a run, and what it began with, was made of that allows research only."""
    sets = Ledger.load().sets
    found = []
    for one in (record, *origins(record)):
        if "model" in one:
            found += [one["model"]] if one["use"] == "research" else []
            continue
        found += [f"the run {one['run']}, of which nothing is known"] if one["train"] is None else []
        found += [part["set"] for part in one["train"] or () if part["set"] in sets]
        teacher = one["teacher"]
        found += [teacher["model"]] if teacher is not None and teacher["use"] == "research" else []
    return list(dict.fromkeys(found))


def _compatible(record: Any) -> tuple[str, ...]:
    """The teacher's hash, where the run learnt to live in the teacher's space."""
    name = registry.resolve(record["recipe"]["loss"]["name"], kind="loss")
    return (record["teacher"]["sha256"],) if name == HARMONIC else ()


def _notes(trained: Trained) -> tuple[str, ...]:
    recipe = trained.record["recipe"]
    average = ", moving average" if trained.averaged else ""
    made = (
        f"{recipe['backbone']['name']} with {recipe['loss']['name']}, {trained.step} steps{average}, by visavis train."
    )
    notes = [made, f"People ledger {trained.record['ledger'][:12]}."]
    notes += _adapted(trained.record)
    notes += _teacher("Its teacher", trained.record)
    for begun in origins(trained.record):
        notes.append(f"It began with {_begun(begun)}.")
        notes += _teacher("A teacher of those weights", begun)
    if _compatible(trained.record):
        notes.append("Its templates may be compared with those of its teacher: it was trained by harmonic triplets.")
    return tuple(notes)


def _adapted(record: Any) -> list[str]:
    """How the network was adapted, and how much of it was trained."""
    adaptation = record["recipe"].get("adaptation")
    if adaptation is None:
        return []
    trained, share = record["trained"]["trained"], record["trained"]["share"]
    told = f"Adapted by {adaptation['method']}: {trained:,} weights trained, {100 * share:.2f} % of the network."
    if adaptation["method"] == "dual_lora":
        quality = adaptation["quality"]
        by = f"the measure {quality['measure']}" if quality["fixed"] is None else f"a fixed {quality['fixed']:g}"
        told += f" Its adapters are mixed by {by}, within the network."
    return [told]


def _teacher(whose: str, record: Any) -> list[str]:
    teacher = record.get("teacher")
    if teacher is None:
        return []
    return [f"{whose} was {teacher['model']} ({teacher['licence']}), sha256 {teacher['sha256'][:12]}."]


def _begun(begun: Any) -> str:
    if "model" in begun:
        cut = ", cut to size" if begun["model"] == SFACE.name else ""
        return f"{begun['model']} ({begun['licence']}), sha256 {begun['sha256'][:12]}{cut}"
    name = f"the weights of the run {Path(begun['run']).name}"
    step = f" at step {begun['step']}, sha256 {begun['sha256'][:12]}" if "step" in begun else ""
    return f"{name}{step}, of {'unknown data' if begun['train'] is None else trained_on(begun)}"


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    values = vectors.astype(np.float64)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values
