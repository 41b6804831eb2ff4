"""Weights of an ONNX file in fewer bytes; the network computes in float32 all the same."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.runtime import graphs

Storage = Literal["fp32", "fp16", "int8"]
"""How weights lie in a file: as they are, as halves, or as one byte with a scale for each output."""

_SMALL = 1024
_LARGEST_HALF = 65504.0


def store(data: bytes, storage: Storage, *, name: str = "the network") -> bytes:
    """The same network with its large weights stored in fewer bytes.

    ``int8``: ``w ~ q * s`` with ``q`` in -127..127 and one scale for each output, the largest magnitude of its weights
    by 127: outputs lie on the first axis of a convolution, on the last of the right side of a MatMul; other weights
    have one by the first axis; a DequantizeLinear (opset 13) makes float32 of it. ``fp16``: a Cast does. Runtimes fold
    both when they load the file; ``dequantise`` of `visavis.runtime.rewrites` does it before.

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
    outputs = _output_axes(network)
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
            axis = outputs.get(key, 0) % values.ndim
            network.weights[stored], network.weights[f"{key}.scale"] = _bytes_along(values, axis)
            network.weights[f"{key}.zero"] = np.zeros(values.shape[axis], np.int8)
            parts = [stored, f"{key}.scale", f"{key}.zero"]
            nodes.append(helper.make_node("DequantizeLinear", parts, [key], axis=axis))
        del network.weights[key]
    network.nodes = [*nodes, *network.nodes]
    return bytes(network.model().SerializeToString())


def _output_axes(network: graphs.Graph) -> dict[str, int]:
    """By name of weights that are multiplied from the right, the axis of the outputs; of all others it is the first."""
    axes = {}
    for node in network.nodes:
        if node.op_type == "MatMul":
            axes[node.input[1]] = -1
        elif node.op_type == "Gemm" and not graphs.attributes(node).get("transB", 0):
            axes[node.input[1]] = 1
    return axes


def _bytes_along(values: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 of the same shape, and a float32 scale for each index of an axis."""
    flat = np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)
    scale = (np.abs(flat).max(axis=1) / 127).astype(np.float32)
    scale[scale == 0] = 1.0
    shape = [1] * values.ndim
    shape[axis] = len(scale)
    return np.rint(values / scale.reshape(shape)).astype(np.int8), scale
