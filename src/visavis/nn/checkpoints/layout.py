"""How a project stores its networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from visavis.cards import InputContract


@dataclass(frozen=True, slots=True)
class Layout:
    """Of the checkpoints of one project.

    Attributes:
        name: Of the project.
        backbones: Registry names of the networks it releases.
        contract: Input contract by the side of the input.
        licence: Of code and weights, as far as known.
        paper: Publication.
        trained_on: The data of the released weights.
        inside: Names under which the state dict may lie; a file may also be one.
        prefixes: Stripped where keys begin with them, one after the other.
        size_of: Keys whose first axis is the length of an embedding.
        head: Keys of the classifier's centres ``(classes, dimension)``; empty when files hold none.
        head_turned: The same for centres that are stored ``(dimension, classes)``.
        head_beside: The classifier is among the keys without a prefix.
        head_inside: Name under which a module of its own holds the classifier.
        ignored: Patterns of keys that a network is complete without.
        optional: Last parts of keys that a file may lack.
        epsilon: Of all batch normalisations, where it is not the network's own.
        names: What a pickle of this project may name besides tensors; never imported.
        use: What may be done with the released weights.
    """

    name: str
    backbones: tuple[str, ...]
    contract: Callable[[int], InputContract]
    licence: str
    paper: str
    trained_on: str
    inside: tuple[str, ...] = ("state_dict",)
    prefixes: tuple[str, ...] = ("module.",)
    size_of: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    head_turned: tuple[str, ...] = ()
    head_beside: bool = False
    head_inside: str = ""
    ignored: tuple[str, ...] = ()
    optional: tuple[str, ...] = ("num_batches_tracked",)
    epsilon: float | None = None
    names: tuple[str, ...] = ()
    use: Literal["any", "research"] = "research"
