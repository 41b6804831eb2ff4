"""Class centres of released heads."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from visavis.errors import ModelError
from visavis.losses.classifier import ClassifierLoss

_PREFIXES = ("module.", "head.", "fc.")
_KEYS = {"weight": False, "kernel": True}
"""Name of the centres in a state -> whether they are stored as (D, C)."""


def load_centres(loss: ClassifierLoss, state: Mapping[str, Tensor], *, name: str = "the head") -> None:
    """Fill the centres of a loss with those of a released head.

    Known are ``kernel`` ``(D, C)``, as in the heads of ElasticFace and AdaFace, and ``weight`` ``(C, D)``, as in those
    of UNPG and insightface; ``head.``, ``fc.`` and ``module.`` before it are left out.

    Args:
        loss: Filled in place, with one vector a class.
        state: Key -> tensor, as read from the file.
        name: What to call it in errors.

    Raises:
        ModelError: There are no centres in it, or of another shape.
    """
    found = {_bare(key): value for key, value in state.items()}
    keys = [key for key in _KEYS if key in found]
    if len(keys) != 1:
        raise ModelError(
            f"{name} has the keys {', '.join(state) or 'none'}; a head has one of {', '.join(_KEYS)}",
            reason="model.refused",
        )
    centres = found[keys[0]].T if _KEYS[keys[0]] else found[keys[0]]
    if centres.shape != loss.weight.shape:
        raise ModelError(
            f"{name} has centres {tuple(centres.shape)}, classes by dimension; the loss has {tuple(loss.weight.shape)}",
            reason="model.refused",
        )
    with torch.no_grad():
        loss.weight.copy_(centres)


def _bare(key: str) -> str:
    shorter = key
    for prefix in _PREFIXES:
        shorter = shorter.removeprefix(prefix)
    return key if shorter == key else _bare(shorter)
