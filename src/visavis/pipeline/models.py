"""From what a user writes as a model to the thing itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from visavis import registry
from visavis.calibration.table import Calibration
from visavis.cards import LocalFile, WeightCard
from visavis.errors import InputError, ModelError, UsageError
from visavis.io.files import is_file, is_folder, read_file
from visavis.quality.attention_calibration import attention_calibration
from visavis.runtime.attention import REWRITE
from visavis.runtime.brought import CARD_SUFFIX
from visavis.runtime.session import EngineOptions

Kind = Literal["embedder", "detector"]
DEFAULT_DETECTOR = "detector/yunet.2023mar"
DEFAULT_EMBEDDER = "embedder/sface.2021dec"


def is_pack(model: Any) -> bool:
    """Whether a model is given as a folder: an InsightFace pack, which brings detector and recogniser."""
    return isinstance(model, str | Path) and _is_path(model) and is_folder(Path(model).expanduser())


def model_card(model: str | Path | WeightCard, *, kind: Kind) -> Any:
    """The card, class or function of a detector or an embedder.

    Args:
        model: ``embedder/X``, ``X`` when unique, a path to an ONNX file, a card file (``.json``, in the form of
            `WeightCard.to_dict`), an InsightFace pack folder, or a card.
        kind: ``detector`` or ``embedder``.

    Raises:
        ModelError: Unknown name, no such file, a file without a known contract, or a card of the other kind.
    """
    if isinstance(model, WeightCard):
        card = model
    elif not _is_path(model):
        card = registry.load(registry.resolve(str(model), kind=kind))
        if not isinstance(card, WeightCard):
            return card
    else:
        card = _card_of_path(Path(model).expanduser(), kind)
    if card.kind != kind:
        raise ModelError(
            f"{card.name} is a card of kind {card.kind}; here goes one of kind {kind}", reason="model.card"
        )
    return card


def create_embedder(model: Any, *, engine: EngineOptions, flip: bool = False, policy: str | None = None) -> Any:
    """An embedder of a name, path or card; an object that embeds is returned as it is.

    A recogniser with an attention calibration tells what it attends to, for the quality measure ``attention``.

    Raises:
        ModelError: The model is unknown, missing or refused.
    """
    if hasattr(model, "embed") and hasattr(model, "space"):
        return model
    card = model_card(model, kind="embedder")
    if isinstance(card, WeightCard) and attention_calibration(card) is not None:
        card = attending_card(card)
    return card(engine=engine, flip=flip, policy=policy)


def attending_card(card: WeightCard) -> WeightCard:
    """The card of the same recogniser with the output of its attention; see `visavis.runtime.attention`."""
    return card if REWRITE in card.rewrites else replace(card, rewrites=(*card.rewrites, REWRITE))


def create_detector(model: Any, *, engine: EngineOptions, policy: str | None = None, minimum_size: float = 0.0) -> Any:
    """A detector of a name, path or card; an object that detects is returned as it is.

    Raises:
        ModelError: The model is unknown, missing or refused.
        UsageError: A minimum size for an object that is ready.
    """
    if hasattr(model, "detect"):
        if minimum_size:
            raise UsageError("a minimum size is set when the detector is made; give it to your detector")
        return model
    return model_card(model, kind="detector")(engine=engine, policy=policy, minimum_size=minimum_size)


CALIBRATION_SUFFIX = ".calibration.json"
"""What is added to the name of a model file for the calibration that lies beside it."""


def calibration_beside(embedder: Any, space: str) -> Calibration | None:
    """The calibration beside the file of a recogniser, where it was fitted in this space; else None.

    Args:
        embedder: One with a card.
        space: Fingerprint of the pipeline's template space: another detector or rule has another one.

    Raises:
        UsageError: There is one, and it cannot be read.
    """
    card = getattr(embedder, "card", None)
    source = card.sources[0] if isinstance(card, WeightCard) else None
    if not isinstance(source, LocalFile):
        return None
    path = Path(source.path).expanduser()
    beside = path.with_name(path.name + CALIBRATION_SUFFIX)
    if not is_file(beside):
        return None
    found = Calibration.load(beside)
    return found if found.space == space else None


def _is_path(model: str | Path) -> bool:
    text = str(model)
    written = isinstance(model, Path) or text.endswith((".onnx", ".json")) or text.startswith((".", "~", "/"))
    return (
        written
        or "\\" in text
        or (not text.startswith(("embedder/", "detector/")) and (is_folder(text) or is_file(text)))
    )


def _card_of_path(path: Path, kind: Kind) -> WeightCard:
    if is_folder(path):
        from visavis.pipeline.packs import pack_cards

        detector, embedder = pack_cards(path)
        return detector if kind == "detector" else embedder
    if path.name.endswith(CARD_SUFFIX):
        path = path.with_name(path.name.removesuffix(CARD_SUFFIX))
    elif path.suffix == ".json":
        return _card_file(path)
    if kind == "detector":
        from visavis.detection.brought import brought_card as brought_detector

        return brought_detector(path)
    from visavis.recognition.brought import brought_card as brought_embedder

    return brought_embedder(path)


def _card_file(path: Path) -> WeightCard:
    try:
        record = json.loads(read_file(path))
        if not isinstance(record, dict):
            raise UsageError("not a weight card: it is not a JSON object")
        return WeightCard.from_dict(record)
    except (InputError, ValueError) as error:
        raise ModelError(f"the card {path} cannot be used: {error}", reason="model.card") from error
