"""Tiny ONNX detectors with the interface of the real ones: a red square of one cell is a face."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

SURE = 12.0
STRIDES = (8, 16, 32)


def _head(nodes, weights, name, *, stride, channels, red, bias):
    """A convolution over whole cells: ``red`` (channel, weight) of the mean red-minus-rest, and a bias a channel."""
    weight = np.zeros((channels, 3, stride, stride), np.float32)
    for channel, position, value in red:
        weight[channel] = -value / 2 / stride**2
        weight[channel, position] = value / stride**2
    weights[f"{name}_w"] = weight
    weights[f"{name}_b"] = np.asarray(bias, np.float32)
    nodes.append(
        helper.make_node(
            "Conv",
            ["image", f"{name}_w", f"{name}_b"],
            [f"{name}_map"],
            kernel_shape=[stride] * 2,
            strides=[stride] * 2,
        )
    )


def _flat(nodes, weights, name, output, *, values, batched, last=None):
    perm, shape = ([0, 2, 3, 1], [0, -1, values]) if batched else ([2, 3, 0, 1], [-1, values])
    weights[f"{name}_shape"] = np.array(shape, np.int64)
    nodes.append(helper.make_node("Transpose", [f"{name}_map"], [f"{name}_t"], perm=perm))
    nodes.append(helper.make_node("Reshape", [f"{name}_t", f"{name}_shape"], [f"{name}_r" if last else output]))
    if last:
        nodes.append(helper.make_node(last, [f"{name}_r"], [output]))


def _model(nodes, weights, outputs, sides):
    graph = helper.make_graph(
        nodes,
        "planted",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, sides)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()


def scrfd(*, box, points, batched, size=None):
    """Nine numbered outputs, scores, boxes, points; two anchors a cell, of which the second one answers.

    ``box`` (4,) and ``points`` (5, 2) are distances in pixels from the corner of the red cell of stride 8.
    """
    nodes, weights, outputs = [], {}, {}
    number = 440
    for kind, values in (("score", 1), ("box", 4), ("points", 10)):
        for stride in STRIDES:
            name, output = f"{kind}{stride}", str(number)
            bias = {
                "score": [-40.0, -SURE / 2],
                "box": np.concatenate([np.zeros(4), np.asarray(box) / stride]),
                "points": np.concatenate([np.zeros(10), np.ravel(points) / stride]),
            }[kind]
            if kind == "score" and stride != 8:
                bias = [-40.0, -40.0]
            red = [(1, 0, SURE)] if kind == "score" and stride == 8 else []
            _head(nodes, weights, name, stride=stride, channels=2 * values, red=red, bias=bias)
            last = "Sigmoid" if kind == "score" else None
            _flat(nodes, weights, name, output, values=values, batched=batched, last=last)
            outputs[output] = ["n", f"c{stride}", values] if batched else [f"c{stride}", values]
            number += 23
    height, width = size or ("h", "w")
    return _model(nodes, weights, list(outputs.items()), ["n" if batched else 1, 3, height, width])


def retinaface(*, box, points):
    """Three outputs in biubug6's names; the red cell of stride 8 answers with its second prior."""
    nodes, weights = [], {}
    for kind, values, output in (("box", 4, "output"), ("class", 2, "outputt"), ("points", 10, "outputtt")):
        parts = []
        for stride in STRIDES:
            name = f"{kind}{stride}"
            bias = {
                "box": np.concatenate([np.zeros(4), np.asarray(box)]),
                "class": [20.0, -20.0, 0.0, -8.0 if stride == 8 else -40.0],
                "points": np.concatenate([np.zeros(10), np.ravel(points)]),
            }[kind]
            red = [(3, 2, 0.1)] if kind == "class" and stride == 8 else []
            _head(nodes, weights, name, stride=stride, channels=2 * values, red=red, bias=bias)
            parts.append(f"{name}_flat")
            _flat(nodes, weights, name, parts[-1], values=values, batched=True)
        joined = f"{kind}_all" if kind == "class" else output
        nodes.append(helper.make_node("Concat", parts, [joined], axis=1))
        if kind == "class":
            nodes.append(helper.make_node("Softmax", [joined], [output], axis=2))
    outputs = [("output", ["n", "p", 4]), ("outputt", ["n", "p", 2]), ("outputtt", ["n", "p", 10])]
    return _model(nodes, weights, outputs, ["n", 3, "h", "w"])


def picture(*cells, colour=(255, 0, 0), size=(160, 224)):
    """A dark picture with a square of one cell of stride 8 in each given (column, row)."""
    pixels = np.zeros((*size, 3), np.uint8)
    for column, row in cells:
        pixels[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8] = colour
    return pixels
