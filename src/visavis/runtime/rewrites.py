"""Graph rewrites that keep the function and gain speed or generality.

Each takes an ONNX model and returns a new one. `REWRITES` is the table that cards refer to by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from visavis.cards import InputContract
from visavis.errors import ModelError
from visavis.runtime import attention, graphs
from visavis.runtime.dequantise import dequantise
from visavis.runtime.pixels import take_pixels
from visavis.runtime.quantise import Ranges, fold_last_norm, quantise

if TYPE_CHECKING:
    import onnx

_SLOPE_LIMIT = 0.99
"""Slopes nearer to 1 than this are not divided by ``1 - slope``; rounding would grow a hundredfold."""


def free_axes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Make batch symbolic, and height and width of every input whose sides are not needed.

    Reshapes to a literal batch of 1 are changed to keep the batch they get.
    """
    network = graphs.Graph(model)
    for name, values in list(network.weights.items()):
        if values.dtype == np.int64 and values.ndim == 1 and values.size >= 2 and values[0] == 1:
            for node in network.readers(name):
                if node.op_type == "Reshape" and node.input[1] == name and node.input[0] not in network.weights:
                    network.weights[f"{name}_any_batch"] = np.concatenate([np.zeros(1, np.int64), values[1:]])
                    node.input[1] = f"{name}_any_batch"
    freed = network.model()
    for value in (*freed.graph.input, *freed.graph.output):
        sides = value.type.tensor_type.shape.dim
        if sides:
            sides[0].dim_param = "batch"
    return freed


def free_sides(model: onnx.ModelProto) -> onnx.ModelProto:
    """Make height and width symbolic; for fully convolutional networks such as detectors."""
    freed = free_axes(model)
    for value in freed.graph.input:
        sides = value.type.tensor_type.shape.dim
        if len(sides) == 4:
            sides[2].dim_param, sides[3].dim_param = "height", "width"
    for value in freed.graph.output:
        for side in value.type.tensor_type.shape.dim[1:-1]:
            side.dim_param = f"cells_{value.name}"
    return freed


def fold_batch_norm(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold every BatchNormalization into the Conv or Gemm before it, and drop Dropout.

    Computed in float64: ``W' = W g / sqrt(v + e)``, ``b' = (b - m) g / sqrt(v + e) + beta``.
    """
    network = graphs.Graph(model)
    makers = {output: node for node in network.nodes for output in node.output}
    kept = []
    for node in network.nodes:
        source = makers.get(node.input[0]) if node.input else None
        folds = (
            node.op_type == "BatchNormalization"
            and source is not None
            and source.op_type in ("Conv", "Gemm")
            and source.input[1] in network.weights
            and len(network.readers(source.output[0])) == 1
            and not network.is_output(source.output[0])
            and all(name in network.weights for name in node.input[1:])
            and (source.op_type == "Conv" or graphs.is_plain_dense(source))
        )
        if node.op_type == "Dropout" and not network.is_output(node.output[0]):
            network.rename(node.output[0], node.input[0])
        elif folds and source is not None:
            _fold(network, source, node)
        else:
            kept.append(node)
    network.nodes = kept
    return network.model()


def _fold(network: graphs.Graph, source: onnx.NodeProto, norm: onnx.NodeProto) -> None:
    gamma, beta, mean, variance = (network.weights[name].astype(np.float64) for name in norm.input[1:5])
    factor = gamma / np.sqrt(variance + float(graphs.attributes(norm).get("epsilon", 1e-5)))
    weight = network.weights[source.input[1]].astype(np.float64)
    bias = network.weights[source.input[2]].astype(np.float64) if len(source.input) > 2 else np.zeros_like(beta)
    names = f"{norm.output[0]}_weight", f"{norm.output[0]}_bias"
    network.weights[names[0]] = (weight * factor.reshape(-1, *[1] * (weight.ndim - 1))).astype(np.float32)
    network.weights[names[1]] = ((bias - mean) * factor + beta).astype(np.float32)
    source.input[1] = names[0]
    if len(source.input) > 2:
        source.input[2] = names[1]
    else:
        source.input.append(names[1])
    source.output[0] = norm.output[0]


def split_prelu(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write PRelu so that ONNX Runtime can keep its blocked layout.

    ``prelu(x, a) = (1 - a) (relu(x) + a / (1 - a) x)``. The inner factor becomes a 1 x 1 depthwise
    convolution, which the runtime fuses with the sum; the outer factor is folded into the weights of the
    convolution that reads the result, or stays a depthwise convolution when it cannot. Slopes near 1 use
    ``a x + (1 - a) relu(x)``, which is the same function.
    """
    network = graphs.Graph(model)
    nodes: list[onnx.NodeProto] = []
    for node in network.nodes:
        if node.op_type == "PRelu" and _slopes_per_channel(network, node):
            nodes.extend(_split(network, node))
        else:
            nodes.append(node)
    network.nodes = nodes
    return network.model()


def _slopes_per_channel(network: graphs.Graph, node: onnx.NodeProto) -> bool:
    """Whether there is a slope for each channel, ``(C, 1, 1)``, or ``(1, C, 1, 1)`` as torch exports it."""
    slope = network.weights.get(node.input[1])
    if slope is None:
        return False
    shape = slope.shape[1:] if slope.ndim == 4 and slope.shape[0] == 1 else slope.shape
    return len(shape) == 3 and shape[1:] == (1, 1) and shape[0] > 1


def _split(network: graphs.Graph, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    from onnx import helper

    slope = network.weights[node.input[1]].astype(np.float64).reshape(-1)
    x, y = node.input[0], node.output[0]
    channels = slope.size

    def scaled(name: str, factor: np.ndarray, result: str) -> onnx.NodeProto:
        weight = f"{result}_factor"
        network.weights[weight] = factor.reshape(-1, 1, 1, 1).astype(np.float32)
        return helper.make_node("Conv", [name, weight], [result], group=channels, kernel_shape=[1, 1])

    relu = helper.make_node("Relu", [x], [f"{y}_relu"])
    if slope.max() > _SLOPE_LIMIT:
        return [
            relu,
            scaled(x, slope, f"{y}_line"),
            scaled(f"{y}_relu", 1 - slope, f"{y}_bend"),
            helper.make_node("Add", [f"{y}_line", f"{y}_bend"], [y]),
        ]
    line = scaled(x, slope / (1 - slope), f"{y}_line")
    if _fold_factor(network, y, 1 - slope):
        return [relu, line, helper.make_node("Add", [f"{y}_line", f"{y}_relu"], [y])]
    total = helper.make_node("Add", [f"{y}_line", f"{y}_relu"], [f"{y}_sum"])
    return [relu, line, total, scaled(f"{y}_sum", 1 - slope, y)]


def _fold_factor(network: graphs.Graph, name: str, factor: np.ndarray) -> bool:
    """Multiply the input channels of the only Conv that reads ``name``; False when that is impossible."""
    readers = network.readers(name)
    if len(readers) != 1 or network.is_output(name) or readers[0].op_type != "Conv":
        return False
    conv = readers[0]
    weight = network.weights.get(conv.input[1])
    if weight is None:
        return False
    group = int(graphs.attributes(conv).get("group", 1))
    if group == 1:
        spread = factor.reshape(1, -1, 1, 1)
    elif group == factor.size and weight.shape[1] == 1:
        spread = np.repeat(factor, weight.shape[0] // group).reshape(-1, 1, 1, 1)
    else:
        return False
    folded = f"{conv.input[1]}_{name}"
    network.weights[folded] = (weight.astype(np.float64) * spread).astype(np.float32)
    conv.input[1] = folded
    return True


def join_strides(model: onnx.ModelProto) -> onnx.ModelProto:
    """Join the outputs ``NAME_8``, ``NAME_16`` ... of a detector along their cells into one output ``NAME``.

    The engine then hands over one array a kind instead of one a kind and stride.
    """
    import onnx
    from onnx import helper

    network = graphs.Graph(model)
    levels: dict[str, list[int]] = {}
    for output in model.graph.output:
        name, _, stride = output.name.rpartition("_")
        if not name or not stride.isdecimal():
            raise ModelError(f"the output {output.name} is not named after its stride", reason="model.refused")
        levels.setdefault(name, []).append(int(stride))
    for name, strides in levels.items():
        parts = [f"{name}_{stride}" for stride in sorted(strides)]
        network.nodes.append(helper.make_node("Concat", parts, [name], axis=1))
    joined = network.model()
    width = {output.name.rpartition("_")[0]: output.type.tensor_type.shape.dim[-1] for output in model.graph.output}
    del joined.graph.output[:]
    for name in levels:
        sides = ["batch", "cells", width[name].dim_value or None]
        joined.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, sides))
    return joined


REWRITES: dict[str, Callable[[onnx.ModelProto], onnx.ModelProto]] = {
    "dequantise": dequantise,
    "free-axes": free_axes,
    "free-sides": free_sides,
    "fold-batch-norm": fold_batch_norm,
    "split-prelu": split_prelu,
    "join-strides": join_strides,
    "fold-last-norm": fold_last_norm,
    attention.REWRITE: attention.tell_attention,
}


def rewrite(
    data: bytes,
    names: tuple[str, ...],
    *,
    name: str,
    contract: InputContract | None = None,
    ranges: Ranges | None = None,
) -> bytes:
    """Apply the named rewrites in order, then put the input contract into the graph.

    Args:
        data: An ONNX file.
        names: Keys of `REWRITES`.
        name: What to call the model in errors.
        contract: What the network's input expects; None leaves the input as it is.
        ranges: Activation ranges to quantise to int8 by; None leaves the network as it is.

    Returns:
        The rewritten model, checked, as bytes.

    Raises:
        ModelError: Not an ONNX model, or a rewrite that does not exist.
    """
    import onnx

    model = graphs.parse(data, name=name)
    for step in names:
        if step not in REWRITES:
            raise ModelError(f"{name}: no graph rewrite {step!r}; known: {', '.join(REWRITES)}")
        model = REWRITES[step](model)
    if ranges is not None:
        model = quantise(model, ranges)
    if contract is not None:
        model = take_pixels(model, contract, name=name)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"{name}: the network is not valid ONNX: {str(error).splitlines()[0]}") from error
    result: bytes = model.SerializeToString()
    return result
