"""Post-training int8 for networks of convolutions with PReLU: equalise channels, then quantise per tensor.

PReLU is positively homogeneous, so channel c of an activation may be divided by ``s_c > 0`` when the weights that
read it are multiplied by ``s_c`` (cross-layer equalisation: Nagel et al. 2019, section 4.1). With ``s_c`` the
channel's own range, one scale for the whole activation costs no channel any resolution; the weights that read it
keep one scale an output channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import ModelError
from visavis.runtime import graphs

if TYPE_CHECKING:
    import onnx

Ranges = Mapping[str, NDArray[np.float32]]
_STEPS = 127
_SMALLEST = 1e-6


@cache
def shipped_ranges(resource: str) -> Ranges:
    """The activation ranges that ship under ``package:file.npz``: largest magnitude a channel, by activation.

    Raises:
        ModelError: There are none.
    """
    package, _, name = resource.partition(":")
    try:
        with files(package).joinpath(name).open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return {key: stored[key].astype(np.float32) for key in stored.files if key != "provenance"}
    except (OSError, ValueError, ModuleNotFoundError) as error:
        raise ModelError(f"the activation ranges {resource} cannot be read: {error}", reason="model.ranges") from error


def fold_last_norm(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold a BatchNormalization before Flatten and Gemm into the Gemm, in float64."""
    network = graphs.Graph(model)
    for norm in [node for node in network.nodes if node.op_type == "BatchNormalization"]:
        readers = network.readers(norm.output[0])
        dense = network.readers(readers[0].output[0]) if len(readers) == 1 and readers[0].op_type == "Flatten" else []
        if len(dense) != 1 or not graphs.is_plain_dense(dense[0]) or network.is_output(norm.output[0]):
            continue
        gamma, beta, mean, variance = (network.weights[name].astype(np.float64) for name in norm.input[1:5])
        factor = gamma / np.sqrt(variance + float(graphs.attributes(norm).get("epsilon", 1e-5)))
        weight = network.weights[dense[0].input[1]].astype(np.float64)
        repeat = weight.shape[1] // factor.size
        shift = np.repeat(beta - mean * factor, repeat)
        bias = weight @ shift
        if len(dense[0].input) > 2:
            bias = bias + network.weights[dense[0].input[2]].astype(np.float64)
        names = f"{norm.output[0]}_dense", f"{norm.output[0]}_dense_bias"
        network.weights[names[0]] = (weight * np.repeat(factor, repeat)).astype(np.float32)
        network.weights[names[1]] = bias.astype(np.float32)
        del dense[0].input[1:]
        dense[0].input.extend(names)
        network.rename(norm.output[0], norm.input[0])
        network.nodes = [node for node in network.nodes if node is not norm]
    return network.model()


@dataclass(frozen=True, slots=True, eq=False)
class _Link:
    """An activation between the convolution that makes it and the layer that reads it."""

    name: str
    maker: onnx.NodeProto
    reader: onnx.NodeProto
    feeds: str
    """The tensor that enters the reader: the activation, or its flattening."""


def quantise(model: onnx.ModelProto, ranges: Ranges) -> onnx.ModelProto:
    """The model with int8 weights and activations, as QuantizeLinear and DequantizeLinear that engines fuse.

    Args:
        model: Plain fp32; batch normalisation folded.
        ranges: Largest magnitude of each channel ``(C,)`` of the PReLU outputs to quantise.

    Raises:
        ModelError: The ranges belong to another network.
    """
    network = graphs.Graph(model)
    makers = {output: node for node in network.nodes for output in node.output}
    links = [_link(network, makers, name, values) for name, values in ranges.items()]
    steps = {link.name: _equalise(network, link, ranges[link.name]) for link in links}
    added: dict[int, list[onnx.NodeProto]] = {}
    for link in links:
        position = next(row for row, node in enumerate(network.nodes) if node is makers[link.name])
        added[position] = _quantised(network, link, steps[link.name])
    nodes: list[onnx.NodeProto] = []
    for row, node in enumerate(network.nodes):
        nodes.append(node)
        nodes += added.get(row, [])
    network.nodes = nodes
    return network.model()


def _link(network: graphs.Graph, makers: dict[str, onnx.NodeProto], name: str, values: NDArray[np.float32]) -> _Link:
    activation = makers.get(name)
    maker = makers.get(activation.input[0]) if activation is not None and activation.op_type == "PRelu" else None
    readers = network.readers(name)
    feeds, reader = name, readers[0] if len(readers) == 1 else None
    if reader is not None and reader.op_type == "Flatten":
        feeds = reader.output[0]
        dense = network.readers(feeds)
        reader = dense[0] if len(dense) == 1 and dense[0].op_type == "Gemm" else None
    if maker is None or maker.op_type != "Conv" or reader is None or reader.op_type not in ("Conv", "Gemm"):
        raise ModelError(f"the activation ranges name {name}, which is not between two layers", reason="model.ranges")
    if network.weights[maker.input[1]].shape[0] != len(values):
        raise ModelError(f"the activation ranges of {name} have {len(values)} channels", reason="model.ranges")
    return _Link(name, maker, reader, feeds)


def _equalise(network: graphs.Graph, link: _Link, values: NDArray[np.float32]) -> float:
    """Give every channel of an activation the same range; returns that range over 127 steps."""
    scale = np.maximum(values.astype(np.float64), _SMALLEST * max(float(values.max()), _SMALLEST))
    level = float(np.exp(np.log(scale).mean()))
    scale = scale / level
    weight, bias = link.maker.input[1], link.maker.input[2]
    _store(network, link.maker, 1, network.weights[weight].astype(np.float64) / scale.reshape(-1, 1, 1, 1))
    _store(network, link.maker, 2, network.weights[bias].astype(np.float64) / scale)
    read = network.weights[link.reader.input[1]].astype(np.float64)
    spread: NDArray[np.float64]
    if link.reader.op_type == "Gemm":
        spread = np.repeat(scale, read.shape[1] // scale.size)
    elif int(graphs.attributes(link.reader).get("group", 1)) > 1:
        spread = scale.reshape(-1, 1, 1, 1)
    else:
        spread = scale.reshape(1, -1, 1, 1)
    _store(network, link.reader, 1, read * spread)
    return level / _STEPS


def _store(network: graphs.Graph, node: onnx.NodeProto, place: int, values: NDArray[np.float64]) -> None:
    name = f"{node.output[0]}_equal_{place}"
    network.weights[name] = values.astype(np.float32)
    node.input[place] = name


def _quantised(network: graphs.Graph, link: _Link, step: float) -> list[onnx.NodeProto]:
    """Quantise the activation after its PReLU and the weights of its reader."""
    from onnx import helper

    name = link.name
    network.weights[f"{name}_step"] = np.float32(step) * np.ones((), np.float32)
    network.weights[f"{name}_zero"] = np.zeros((), np.int8)
    pair = [f"{name}_step", f"{name}_zero"]
    direct = link.reader if link.feeds == name else network.readers(name)[0]
    direct.input[0] = f"{name}_real"
    weight = network.weights[link.reader.input[1]]
    steps = np.maximum(np.abs(weight).reshape(len(weight), -1).max(axis=1) / _STEPS, np.float32(1e-12))
    whole = np.rint(weight / steps.reshape(-1, *[1] * (weight.ndim - 1))).clip(-_STEPS, _STEPS)
    base = link.reader.input[1]
    stored: dict[str, NDArray[Any]] = {
        f"{base}_q": whole.astype(np.int8),
        f"{base}_steps": steps.astype(np.float32),
        f"{base}_zeros": np.zeros(len(steps), np.int8),
    }
    network.weights.update(stored)
    link.reader.input[1] = f"{base}_real"
    return [
        helper.make_node("QuantizeLinear", [name, *pair], [f"{name}_q"]),
        helper.make_node("DequantizeLinear", [f"{name}_q", *pair], [f"{name}_real"]),
        helper.make_node("DequantizeLinear", list(stored), [f"{base}_real"], axis=0),
    ]
