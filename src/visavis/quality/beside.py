"""What lies beside the file of a network and says what its scores mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from visavis.cards import LocalFile, WeightCard
from visavis.errors import ModelError
from visavis.io.files import is_file


def path_beside(card: WeightCard, suffix: str) -> Path | None:
    """The name of a network's file with something added; None for networks that are no files of the user."""
    source = card.sources[0] if card.sources else None
    if not isinstance(source, LocalFile):
        return None
    path = Path(source.path).expanduser()
    return path.with_name(path.name + suffix)


def record_beside(card: WeightCard, suffix: str, *, reason: str) -> tuple[Path, Any] | None:
    """The JSON beside a network's file and where it lies; None where there is none.

    Args:
        card: Of the network.
        suffix: What is added to the name of its file.
        reason: Of the error.

    Raises:
        ModelError: It cannot be read.
    """
    path = path_beside(card, suffix)
    if path is None or not is_file(path):
        return None
    try:
        return path, json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be used: {error}", reason=reason) from error
