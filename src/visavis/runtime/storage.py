"""Weights of an ONNX file in fewer bytes; the network computes in float32 all the same."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from visavis.errors import UsageError
from visavis.runtime import graphs

Storage = Literal["fp32", "fp16", "int8"]
"""How weights lie in a file: as they are, as halves, or as one byte with a scale for each row of outputs."""

_SMALL = 1024
_LARGEST_HALF = 65504.0


def store(data: bytes, storage: Storage, *, name: str = "the network") -> bytes:
    """The same network with its large weights stored in fewer bytes.

    ``int8``: ``w ~ q * s`` with ``q`` in -127..127 and one scale for each index of the first axis, the largest
    magnitude there by 127; a DequantizeLinear (opset 13) makes float32 of it. ``fp16``: a Cast does. Runtimes fold both
    when they load the file; ``dequantise`` of `visavis.runtime.rewrites` does it before.

    Args:
        data: An ONNX file.
        storage: How.
        name: What to call the model in errors.

    Returns:
        The file; the given bytes for ``fp32``. Weights of fewer than 1024 values or of one axis stay as they are.

    Raises:
        UsageError: An unknown storage, or weights that halves cannot hold.
        ModelError: Not an ONNX model.
    """
    if storage not in get_args(Storage):
        raise UsageError(f"weights are stored as {', '.join(get_args(Storage))}; got {storage!r}")
    if storage == "fp32":
        return data
    from onnx import helper

    network = graphs.Graph(graphs.parse(data, name=name))
    nodes = []
    for key, values in list(network.weights.items()):
        if values.dtype != np.float32 or values.ndim < 2 or values.size < _SMALL:
            continue
        stored = f"{key}.{storage}"
        if storage == "fp16":
            if np.abs(values).max() > _LARGEST_HALF:
                raise UsageError(f"{name} has weights above {_LARGEST_HALF:g}, which halves cannot hold")
            network.weights[stored] = values.astype(np.float16)
            nodes.append(helper.make_node("Cast", [stored], [key], to=1))
        else:
            network.weights[stored], network.weights[f"{key}.scale"] = _rows_of_bytes(values)
            network.weights[f"{key}.zero"] = np.zeros(len(values), np.int8)
            nodes.append(helper.make_node("DequantizeLinear", [stored, f"{key}.scale", f"{key}.zero"], [key], axis=0))
        del network.weights[key]
    network.nodes = [*nodes, *network.nodes]
    return bytes(network.model().SerializeToString())


def _rows_of_bytes(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 of the same shape, and a float32 scale for each index of the first axis."""
    flat = values.reshape(len(values), -1)
    scale = (np.abs(flat).max(axis=1) / 127).astype(np.float32)
    scale[scale == 0] = 1.0
    return np.rint(flat / scale[:, None]).astype(np.int8).reshape(values.shape), scale
