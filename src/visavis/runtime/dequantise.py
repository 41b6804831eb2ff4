"""Rewrite block-quantised ONNX weights into plain fp32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import ModelError
from visavis.runtime import graphs

if TYPE_CHECKING:
    import onnx


def dequantise_blocks(
    quantised: NDArray[Any], scale: NDArray[Any], zero_point: NDArray[Any] | None, *, axis: int, block_size: int
) -> NDArray[np.float32]:
    """``(q - zero_point) * scale`` with one scale per block of values.

    Source: ONNX operator DequantizeLinear, opset 21.

    Args:
        quantised: Integers of any shape.
        scale: Along ``axis`` one value per ``block_size`` values (the last block may be short); same
            rank as ``quantised``. A scalar or, with ``block_size=0``, one value per index of ``axis``.
        zero_point: Shape of ``scale``, or None for zero.
        axis: The blocked axis.
        block_size: Values per block; 0 when not blocked.

    Returns:
        float32 of the shape of ``quantised``.

    Raises:
        ModelError: The scales do not cover the values.
    """
    points = np.zeros_like(scale, dtype=np.float32) if zero_point is None else zero_point.astype(np.float32)
    factors = scale.astype(np.float32)
    if block_size and factors.ndim:
        keep = tuple(slice(0, side) for side in quantised.shape)
        factors = np.repeat(factors, block_size, axis=axis)[keep]
        points = np.repeat(points, block_size, axis=axis)[keep]
    elif factors.ndim == 1 and factors.size > 1:
        shape = [1] * quantised.ndim
        shape[axis] = factors.size
        factors, points = factors.reshape(shape), points.reshape(shape)
    try:
        np.broadcast_shapes(factors.shape, quantised.shape)
        values: NDArray[np.float32] = ((quantised.astype(np.float32) - points) * factors).astype(np.float32)
    except ValueError as error:
        raise ModelError(
            f"scales of shape {scale.shape} do not cover weights of shape {quantised.shape} in blocks of {block_size}"
        ) from error
    return values


def dequantise(model: onnx.ModelProto) -> onnx.ModelProto:
    """A plain fp32 copy of a model whose weights are stored as integers or halves.

    Every DequantizeLinear, and every Cast of halves to float32, whose inputs are initialisers becomes a constant, the
    Reshape that follows is folded, and inputs that nothing reads are dropped.
    """
    network = graphs.Graph(model)
    kept = []
    for node in network.nodes:
        if node.op_type == "DequantizeLinear" and all(name in network.weights for name in node.input):
            attributes = graphs.attributes(node)
            network.weights[node.output[0]] = dequantise_blocks(
                network.weights[node.input[0]],
                network.weights[node.input[1]],
                network.weights[node.input[2]] if len(node.input) > 2 else None,
                axis=int(attributes.get("axis", 1)),
                block_size=int(attributes.get("block_size", 0)),
            )
        elif node.op_type == "Cast" and _widens(node, network):
            network.weights[node.output[0]] = network.weights[node.input[0]].astype(np.float32)
        elif node.op_type == "Reshape" and all(name in network.weights for name in node.input):
            values, shape = network.weights[node.input[0]], network.weights[node.input[1]].tolist()
            if not graphs.attributes(node).get("allowzero", 0):
                shape = [values.shape[row] if side == 0 else side for row, side in enumerate(shape)]
            network.weights[node.output[0]] = values.reshape(shape)
        else:
            kept.append(node)
    network.nodes = kept
    return network.model()


def _widens(node: onnx.NodeProto, network: graphs.Graph) -> bool:
    """Whether a Cast makes float32 of weights stored as halves."""
    weights = network.weights.get(node.input[0])
    return weights is not None and weights.dtype == np.float16 and graphs.attributes(node)["to"] == 1
