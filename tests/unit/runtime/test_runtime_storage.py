import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from visavis.errors import ModelError, UsageError
from visavis.runtime.rewrites import rewrite
from visavis.runtime.storage import store


def network(weights, *, bias=None):
    """``y = x W^T + b`` as ONNX."""
    outputs, inputs = weights.shape
    bias = np.arange(outputs, dtype=np.float32) if bias is None else bias
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", outputs])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    return model.SerializeToString()


def run(data, x):
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


@pytest.fixture
def weights():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((64, 32)).astype(np.float32) * np.geomspace(1e-3, 10, 64, dtype=np.float32)[:, None]
    rows[5] = 0
    return rows


@pytest.mark.parametrize(("storage", "size"), [("fp16", 2), ("int8", 1)])
@pytest.mark.parametrize("rewritten", [False, True])
def test_the_network_computes_with_the_rounded_weights(weights, storage, size, rewritten):
    x = np.random.default_rng(1).standard_normal((3, 32)).astype(np.float32)
    stored = store(network(weights), storage)
    if storage == "fp16":
        rounded = weights.astype(np.float16).astype(np.float32)
    else:
        scale = np.abs(weights).max(axis=1, keepdims=True) / 127
        rounded = np.where(scale > 0, np.rint(weights / np.where(scale > 0, scale, 1)), 0) * scale
    data = rewrite(stored, ("dequantise",), name="x") if rewritten else stored
    if rewritten:
        assert {node.op_type for node in onnx.load_from_string(data).graph.node} == {"Gemm"}
    assert run(data, x) == pytest.approx(x @ rounded.T + np.arange(64), rel=1e-4, abs=1e-4)
    assert len(network(weights)) - len(stored) > (4 - size) * weights.size - 1500


def test_columns_of_a_matrix_product_have_a_scale_each(weights):
    """In ``x W`` an output is a column: columns of very different size are all kept to half a step."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Gemm", ["h", "v"], ["y"], transB=0)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 32])],
        [numpy_helper.from_array(weights.T.copy(), "w"), numpy_helper.from_array(weights[:, :32].copy(), "v")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    stored = onnx.load_from_string(store(model.SerializeToString(), "int8"))
    kept = {one.name: numpy_helper.to_array(one) for one in stored.graph.initializer}
    assert {node.attribute[0].i for node in stored.graph.node if node.op_type == "DequantizeLinear"} == {1}
    for name, whole in (("w", weights.T), ("v", weights[:, :32])):
        back = kept[f"{name}.int8"].astype(np.float32) * kept[f"{name}.scale"]
        assert (np.abs(back - whole) <= 0.5001 * kept[f"{name}.scale"]).all()
        assert kept[f"{name}.scale"] == pytest.approx(np.where(whole.any(0), np.abs(whole).max(0) / 127, 1), rel=1e-6)


def test_small_weights_and_those_of_one_axis_stay(weights):
    small = network(weights[:4])
    for storage in ("fp16", "int8"):
        kept = {one.name: one.data_type for one in onnx.load_from_string(store(small, storage)).graph.initializer}
        assert kept == {"w": TensorProto.FLOAT, "b": TensorProto.FLOAT}
    assert store(small, "fp32") is small


def test_what_cannot_be_stored_is_refused(weights):
    with pytest.raises(UsageError, match="fp32, fp16, int8"):
        store(network(weights), "int4")
    with pytest.raises(UsageError, match="halves cannot hold"):
        store(network(weights * 1e6), "fp16")
    with pytest.raises(ModelError, match="not an ONNX"):
        store(b"no", "int8")
