"""From what a user writes as a model to the thing itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from visavis import registry
from visavis.cards import WeightCard
from visavis.runtime.session import EngineOptions


def _is_path(model: str | Path) -> bool:
    text = str(model)
    return isinstance(model, Path) or text.endswith((".onnx", ".json")) or text.startswith((".", "~")) or "\\" in text


def embedder_card(model: str | Path | WeightCard) -> Any:
    """The card, class or function of an embedder.

    Args:
        model: ``embedder/X``, ``X`` when unique, a path to an ONNX file, an InsightFace pack folder, a card file,
            or a card.

    Raises:
        ModelError: Unknown name, or a file without a known contract.
    """
    if isinstance(model, WeightCard):
        return model
    if _is_path(model) or Path(model).expanduser().exists():
        from visavis.recognition.brought import brought_card

        return brought_card(model)
    return registry.load(registry.resolve(str(model), kind="embedder"))


def detector_card(model: str | Path | WeightCard) -> Any:
    """The card, class or function of a detector; see `embedder_card`.

    Raises:
        ModelError: Unknown name, or a file without a known contract.
    """
    if isinstance(model, WeightCard):
        return model
    if _is_path(model) or Path(model).expanduser().exists():
        from visavis.detection.brought import brought_card

        return brought_card(model)
    return registry.load(registry.resolve(str(model), kind="detector"))


def create_embedder(model: Any, *, engine: EngineOptions, flip: bool = False, policy: str | None = None) -> Any:
    """An embedder of a name, path or card; an object that embeds is returned as it is."""
    if hasattr(model, "embed") and hasattr(model, "space"):
        return model
    return embedder_card(model)(engine=engine, flip=flip, policy=policy)


def create_detector(model: Any, *, engine: EngineOptions, policy: str | None = None) -> Any:
    """A detector of a name, path or card; an object that detects is returned as it is."""
    if hasattr(model, "detect"):
        return model
    return detector_card(model)(engine=engine, policy=policy)
