"""Let a network take pixels: uint8 RGB ``(N, H, W, 3)`` in, whatever it was trained on inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visavis.cards import LUMA, InputContract, Values
from visavis.errors import ModelError
from visavis.runtime import graphs

if TYPE_CHECKING:
    import onnx

INPUT = "pixels"


def take_pixels(model: onnx.ModelProto, contract: InputContract, *, name: str) -> onnx.ModelProto:
    """Put the input contract into the graph, so that no caller can get colour, mean or layout wrong.

    The new input is ``pixels``, uint8 RGB ``(batch, height, width, 3)``. Cast, layout and normalisation
    become operators; the colour order becomes a reversal of the channels, or nothing when the first
    convolution can be turned instead; grey is a sum of the channels.

    Args:
        model: A network with one input ``(N, 3, H, W)``, of one channel where the contract says grey.
        contract: What that input expects.
        name: What to call the network in errors.

    Raises:
        ModelError: The network has not one image input.
    """
    import onnx
    from onnx import TensorProto, helper

    network = graphs.Graph(model)
    inputs = [value for value in model.graph.input if value.name not in network.weights]
    if len(inputs) != 1 or len(inputs[0].type.tensor_type.shape.dim) != 4:
        shapes = {value.name: len(value.type.tensor_type.shape.dim) for value in inputs}
        wanted = f"(N, {contract.channels}, H, W)"
        raise ModelError(f"{name} must have one image input {wanted}; it has inputs of rank {shapes}")
    old = inputs[0].name
    steps = [
        helper.make_node("Cast", [INPUT], ["pixels_float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["pixels_float"], ["pixels_planes"], perm=[0, 3, 1, 2]),
    ]
    last = "pixels_planes"
    turned = contract.colour == "bgr" and _turn_first_convolution(network, old)
    if contract.colour == "bgr" and not turned:
        network.weights["pixels_order"] = np.array([2, 1, 0], np.int64)
        steps.append(helper.make_node("Gather", [last, "pixels_order"], ["pixels_bgr"], axis=1))
        last = "pixels_bgr"
    if contract.colour == "grey":
        network.weights["pixels_luma"] = np.array(LUMA, np.float32).reshape(1, 3, 1, 1)
        steps.append(helper.make_node("Conv", [last, "pixels_luma"], ["pixels_grey"], kernel_shape=[1, 1]))
        last = "pixels_grey"
    for operator, value, idle in (("Sub", contract.mean, 0.0), ("Mul", contract.scale, 1.0)):
        if value != idle:
            network.weights[f"pixels_{operator.lower()}_value"] = _per_channel(value, reverse=turned)
            result = f"pixels_{operator.lower()}"
            steps.append(helper.make_node(operator, [last, f"{result}_value"], [result]))
            last = result
    network.rename(old, last)
    network.nodes = steps + network.nodes
    result_model = network.model()
    sides: list[int | str] = ["batch", *(contract.size or ("height", "width")), 3]
    del result_model.graph.input[:]
    result_model.graph.input.append(helper.make_tensor_value_info(INPUT, onnx.TensorProto.UINT8, sides))
    return result_model


def _per_channel(value: Values, *, reverse: bool) -> NDArray[np.float32]:
    """A constant to combine with ``(N, 3, H, W)``: a scalar, or ``(3, 1, 1)``, reversed where the channels stay RGB."""
    if not isinstance(value, tuple):
        return np.array(value, np.float32)
    return np.array(value[::-1] if reverse else value, np.float32).reshape(3, 1, 1)


def _turn_first_convolution(network: graphs.Graph, name: str) -> bool:
    """Reverse the input channels of the only Conv that reads the image; False when something else reads it."""
    readers = network.readers(name)
    if len(readers) != 1 or readers[0].op_type != "Conv":
        return False
    conv = readers[0]
    weight = network.weights.get(conv.input[1])
    if weight is None or weight.ndim != 4 or weight.shape[1] != 3 or len(network.readers(conv.input[1])) != 1:
        return False
    turned = f"{conv.input[1]}_rgb"
    network.weights[turned] = weight[:, ::-1]
    conv.input[1] = turned
    return True
