"""Cards for network files that a user brings: beside the file, by its name, or by a named contract."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from visavis.cards import LocalFile, WeightCard
from visavis.errors import ModelError, UsageError
from visavis.io.files import is_file
from visavis.runtime import graphs

CARD_SUFFIX = ".card.json"
Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """Networks that are fed in one way, and the file names that are known to belong to them.

    Attributes:
        files: Glob patterns of file names, lower case; the first family that matches is taken.
        card: Everything but the file: its source, hash and dimension are filled in from the file.
    """

    files: tuple[str, ...]
    card: WeightCard


@dataclass(frozen=True, slots=True)
class Interface:
    """What an ONNX file says of its image input and its outputs; None for a free side.

    Attributes:
        image: Shape of the input.
        outputs: Shape of each output, in order.
    """

    image: Shape
    outputs: tuple[Shape, ...]


def _existing(path: str | Path) -> Path:
    file = Path(path).expanduser()
    if not is_file(file):
        raise ModelError(f"there is no model file {file}", reason="model.missing")
    return file


def read_interface(path: str | Path) -> Interface:
    """The shapes of a network's input and outputs.

    Raises:
        ModelError: Not a file, not ONNX, or not a network with one image input ``(N, 3, H, W)``.
    """
    file = _existing(path)
    try:
        model = graphs.parse(file.read_bytes(), name=file.name)
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror}", reason="model.missing") from error
    weights = {tensor.name for tensor in model.graph.initializer}
    images = [_shape(value) for value in model.graph.input if value.name not in weights]
    if len(images) != 1 or len(images[0]) != 4 or images[0][1] not in (3, None):
        raise ModelError(
            f"{file.name} must have one image input (N, 3, H, W); it has inputs {images}", reason="model.refused"
        )
    return Interface(images[0], tuple(_shape(value) for value in model.graph.output))


def _shape(value: Any) -> Shape:
    sides = value.type.tensor_type.shape.dim
    return tuple(side.dim_value if side.HasField("dim_value") and side.dim_value > 0 else None for side in sides)


def card_beside(path: str | Path) -> WeightCard | None:
    """The card that lies beside a file as ``<file>.card.json``; None when there is none.

    The form is that of `WeightCard.to_dict`; ``name``, ``sources`` and ``sha256`` may be left out, and the
    source is always this file.

    Raises:
        ModelError: The card cannot be read.
    """
    file = _existing(path)
    beside = file.with_name(file.name + CARD_SUFFIX)
    if not is_file(beside):
        return None
    source = LocalFile(str(file))
    try:
        record = json.loads(beside.read_text(encoding="utf-8"))
        if not isinstance(record, dict):
            raise UsageError("not a weight card: it is not a JSON object")
        defaults = {"name": str(file), "sha256": ""}
        sources = [{"type": "LocalFile", "path": source.path}]
        card = WeightCard.from_dict({**defaults, **record, "sources": sources})
    except (OSError, ValueError) as error:
        raise ModelError(f"{beside} cannot be used: {error}", reason="model.card") from error
    return replace(card, sources=(source,))


def choose_family(path: str | Path, families: Mapping[str, Family], *, contract: str | None) -> WeightCard:
    """The card of a known family with the user's file in it.

    Args:
        path: The file.
        families: Contract name -> family.
        contract: The name, or None to go by the file's name.

    Raises:
        ModelError: No such contract, or a file name that says nothing; the message says what to do.
    """
    file = _existing(path)
    if contract is not None:
        if contract not in families:
            raise ModelError(f"no contract {contract!r}; known: {', '.join(families)}", reason="model.contract")
        return families[contract].card.with_file(file)
    name = file.name.lower()
    for family in families.values():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in family.files):
            return family.card.with_file(file)
    raise ModelError(
        f"nothing says how to feed {file.name}: name its contract ({', '.join(families)}), or write "
        f"{file.name}{CARD_SUFFIX} beside it with kind, loader, licence and contract (colour, mean, scale, size); "
        "`visavis models --json` shows the form",
        reason="model.contract",
    )
