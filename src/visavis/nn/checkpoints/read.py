"""Tensors out of files of torch and of safetensors; nothing in them is run."""

from __future__ import annotations

import io
import pickle
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from visavis._require import require
from visavis.errors import ModelError

_LOCK = threading.Lock()  # what torch takes for safe is one list for all threads
_SCALAR = np.float64(0).__reduce__()[0]
_NUMPY: list[Any] = [
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(name)) for name in ("float32", "float64", "int32", "int64", "bool")),
]
"""Single numbers of numpy, such as the accuracy of an epoch."""


class Inert(dict[Any, Any]):
    """What stands in for an object of another project: its attributes, and nothing that it could do."""

    def __init__(self, *given: object, **named: object) -> None:
        super().__init__()

    def __setstate__(self, state: object) -> None:
        self.update(state if isinstance(state, Mapping) else {})


def read_checkpoint(data: bytes, *, name: str, names: Sequence[str] = ()) -> Any:
    """What a checkpoint holds.

    Safetensors are recognised by their header; everything else goes through ``torch.load(weights_only=True)``,
    the unpickler of torch that builds tensors and plain containers only.

    Args:
        data: The file.
        name: What to call it in errors.
        names: Full names of classes that the pickle may mention; each becomes an `Inert`.

    Raises:
        ModelError: ``model.refused``: it names other things; ``model.damaged``: it cannot be read.
    """
    if _is_safetensors(data):
        safetensors = require("safetensors.torch", extra="torch", why="a file of safetensors")
        try:
            return safetensors.load(data)
        except Exception as error:
            raise _damaged(name, error) from error
    allowed = [*_NUMPY, *((Inert, full) for full in names)]
    try:
        with _LOCK:
            added = [one for one in allowed if one not in torch.serialization.get_safe_globals()]
            with torch.serialization.safe_globals(added):
                return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "Unsupported global" in str(error) or "allowlist" in str(error):
            raise ModelError(
                f"{name} holds more than tensors ({_named(str(error))}) and is not loaded, as it could run any code; "
                "save its state dict as safetensors where you trust it, or name the layout that it belongs to",
                reason="model.refused",
            ) from error
        raise _damaged(name, error) from error
    except Exception as error:
        raise _damaged(name, error) from error


def state_of(module: Mapping[str, Any], prefix: str = "") -> dict[str, Tensor]:
    """The state dict of a pickled module that became an `Inert`."""
    found: dict[str, Tensor] = {}
    for kind in ("_parameters", "_buffers"):
        for key, value in _part(module, kind).items():
            if isinstance(value, Tensor):
                found[f"{prefix}{key}"] = value.detach()
    for key, part in _part(module, "_modules").items():
        if isinstance(part, Mapping):
            found |= state_of(part, f"{prefix}{key}.")
    return found


def _part(module: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = module.get(name)
    return found if isinstance(found, Mapping) else {}


def _is_safetensors(data: bytes) -> bool:
    return len(data) > 9 and 2 <= int.from_bytes(data[:8], "little") <= len(data) - 8 and data[8:9] == b"{"


def _named(message: str) -> str:
    _, found, rest = message.partition("GLOBAL ")
    return rest.split()[0] if found else "objects of other classes"


def _damaged(name: str, error: Exception) -> ModelError:
    detail = " ".join(str(error).split())[:150]
    return ModelError(f"{name} is no sound checkpoint ({detail}); use an intact copy", reason="model.damaged")
