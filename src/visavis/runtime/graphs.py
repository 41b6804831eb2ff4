"""A small editable view of an ONNX graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import ModelError

if TYPE_CHECKING:
    import onnx


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """The attributes of a node by name."""
    from onnx import helper

    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def is_plain_dense(node: onnx.NodeProto) -> bool:
    """Whether a node is a Gemm ``x W^T + b`` without factors, with one row of weights an output."""
    given = attributes(node)
    form = tuple(given.get(name, usual) for name, usual in (("transA", 0), ("transB", 0), ("alpha", 1), ("beta", 1)))
    return node.op_type == "Gemm" and form == (0, 1, 1, 1)


def parse(data: bytes, *, name: str) -> onnx.ModelProto:
    """Read ONNX bytes.

    Raises:
        ModelError: Not an ONNX model, or one whose weights lie in other files.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_from_string(data)
    except (DecodeError, UnicodeDecodeError, ValueError) as error:
        raise ModelError(f"{name} is not an ONNX model: {error}", reason="model.damaged") from error
    if not model.graph.node:
        raise ModelError(f"{name} is not an ONNX model, or one without operators", reason="model.damaged")
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise ModelError(
            f"{name} keeps its weights in other files; save it as one file (onnx.save without external data)",
            reason="model.refused",
        )
    return model


class Graph:
    """Nodes and weights of a model, edited here and written back as a new model; the model itself stays as it is.

    Attributes:
        nodes: The nodes in topological order.
        weights: Constant tensors by name; unused ones are dropped on writing.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        from onnx import numpy_helper

        self._source = model
        self.weights: dict[str, NDArray[Any]] = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer
        }
        self.nodes: list[onnx.NodeProto] = []
        for node in model.graph.node:
            value = attributes(node).get("value") if node.op_type == "Constant" else None
            if value is None or self.is_output(node.output[0]):
                self.nodes.append(_copy_node(node))
            else:
                self.weights[node.output[0]] = numpy_helper.to_array(value)

    def readers(self, name: str) -> list[onnx.NodeProto]:
        """The nodes that read a tensor."""
        return [node for node in self.nodes if name in node.input]

    def is_output(self, name: str) -> bool:
        """Whether a tensor is an output of the whole graph."""
        return any(output.name == name for output in self._source.graph.output)

    def rename(self, old: str, new: str) -> None:
        """Let every reader of ``old`` read ``new``."""
        for node in self.nodes:
            for position, name in enumerate(node.input):
                if name == old:
                    node.input[position] = new

    def model(self) -> onnx.ModelProto:
        """A new model with the edited nodes and the weights they read."""
        import onnx
        from onnx import numpy_helper

        model = onnx.ModelProto()
        model.CopyFrom(self._source)
        graph = model.graph
        used = {name for node in self.nodes for name in node.input}
        inputs = [value for value in graph.input if value.name in used and value.name not in self.weights]
        inputs = [_copy(value) for value in inputs]
        del graph.node[:], graph.initializer[:], graph.input[:], graph.value_info[:]
        graph.node.extend(self.nodes)
        graph.initializer.extend(
            numpy_helper.from_array(np.ascontiguousarray(values) if values.ndim else values, name)
            for name, values in self.weights.items()
            if name in used
        )
        graph.input.extend(inputs)
        return model


def _copy_node(node: onnx.NodeProto) -> onnx.NodeProto:
    import onnx

    twin = onnx.NodeProto()
    twin.CopyFrom(node)
    return twin


def _copy(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    import onnx

    twin = onnx.ValueInfoProto()
    twin.CopyFrom(value)
    return twin
