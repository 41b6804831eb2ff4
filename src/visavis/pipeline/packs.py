"""InsightFace packs as they lie."""

from __future__ import annotations

from pathlib import Path

from visavis.cards import WeightCard
from visavis.detection.brought import FAMILIES as DETECTORS
from visavis.detection.brought import brought_card as brought_detector
from visavis.errors import ModelError
from visavis.recognition.brought import FAMILIES, brought_card


def _one(folder: Path, patterns: tuple[str, ...], what: str) -> Path:
    found = sorted({path for pattern in patterns for path in folder.glob(pattern)})
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise ModelError(
            f"{folder} must hold one {what} ({' or '.join(patterns)}); found {names}; pass the files one by one",
            reason="model.missing",
        )
    return found[0]


def pack_cards(folder: str | Path) -> tuple[WeightCard, WeightCard]:
    """The detector and the recogniser of an InsightFace pack, such as ``~/.insightface/models/buffalo_l``.

    The other networks of a pack (dense landmarks, age and sex) are left alone.

    Raises:
        ModelError: No folder, or not one detector and one recogniser in it.
    """
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise ModelError(
            f"there is no folder {place}; a pack is unpacked at ~/.insightface/models/NAME", reason="model.missing"
        )
    detector = _one(place, DETECTORS["scrfd"].files, "detector")
    embedder = _one(place, FAMILIES["arcface"].files, "recogniser")
    return brought_detector(detector), brought_card(embedder)
