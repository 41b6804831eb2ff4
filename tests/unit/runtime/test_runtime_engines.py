"""Rewrites keep the function of seeded random networks; engines agree and refuse what they cannot do."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from visavis.errors import ModelError, UsageError
from visavis.runtime import graphs
from visavis.runtime.dequantise import dequantise_blocks
from visavis.runtime.quantise import quantise
from visavis.runtime.rewrites import REWRITES, rewrite
from visavis.runtime.session import EngineOptions, Session, open_session

CHANNELS = 6


def _model(nodes, weights, *, inputs=None, outputs=("y",), opset=17):
    """A model; its input is ``x``, three planes of any size, unless said otherwise."""
    graph = helper.make_graph(
        nodes, "tiny",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
         for name, shape in (inputs or {"x": ["n", 3, "h", "w"]}).items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    model = onnx.shape_inference.infer_shapes(model)
    del model.graph.value_info[:]
    onnx.checker.check_model(model)
    return model


def _run(model, **feeds):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def _operators(model):
    return [node.op_type for node in model.graph.node]


def _image(seed=0, *, count=2, height=9, width=11):
    return np.random.default_rng(seed).normal(size=(count, 3, height, width)).astype(np.float32)


def _kept(model, *names, tolerance=1e-4, **feeds):
    """Apply rewrites, check that outputs and the given model stay as they were, and return the new model."""
    before, expected = model.SerializeToString(), _run(model, **feeds)
    written = model
    for name in names:
        written = REWRITES[name](written)
    assert model.SerializeToString() == before
    onnx.checker.check_model(written)
    for found, wanted in zip(_run(written, **feeds), expected, strict=True):
        assert found.shape == wanted.shape
        assert np.allclose(found, wanted, rtol=tolerance, atol=tolerance * np.abs(wanted).max())
    return written


def _norm(rng, name, channels, weights):
    signs = rng.choice([-1, 1], channels)
    weights[f"{name}_g"] = (rng.uniform(0.5, 2, channels) * signs).astype(np.float32)
    weights[f"{name}_b"], weights[f"{name}_m"] = rng.normal(size=(2, channels)).astype(np.float32)
    weights[f"{name}_v"] = rng.uniform(0.01, 3, channels).astype(np.float32)
    return [f"{name}_{field}" for field in "gbmv"]


def _recogniser(*, bias=True, seed=0):
    """Conv, BN, PReLU; depthwise Conv, BN, PReLU; Conv, BN, PReLU; BN, Dropout, Flatten, Gemm, BN; 8 x 8 pixels."""
    rng = np.random.default_rng(seed)
    weights = {
        "w1": rng.normal(size=(CHANNELS, 3, 3, 3)).astype(np.float32) / 5,
        "w2": rng.normal(size=(CHANNELS, 1, 3, 3)).astype(np.float32) / 3,
        "w3": rng.normal(size=(CHANNELS, CHANNELS, 1, 1)).astype(np.float32) / 2,
        "fc": rng.normal(size=(16, CHANNELS * 16)).astype(np.float32) / 10,
        **{f"a{k}": rng.uniform(-0.2, 0.6, (CHANNELS, 1, 1)).astype(np.float32) for k in (1, 2, 3)},
    }  # fmt: skip
    for name, size in (("c1", CHANNELS), ("c2", CHANNELS), ("c3", CHANNELS), ("d", 16)) if bias else ():
        weights[f"{name}_bias"] = rng.normal(size=size).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w1", *(["c1_bias"] if bias else [])], ["c1"]),
        helper.make_node("BatchNormalization", ["c1", *_norm(rng, "n1", CHANNELS, weights)], ["b1"], epsilon=1e-3),
        helper.make_node("PRelu", ["b1", "a1"], ["p1"]),
        helper.make_node("Conv", ["p1", "w2", *(["c2_bias"] if bias else [])], ["c2"], group=CHANNELS),
        helper.make_node("BatchNormalization", ["c2", *_norm(rng, "n2", CHANNELS, weights)], ["b2"]),
        helper.make_node("PRelu", ["b2", "a2"], ["p2"]),
        helper.make_node("Conv", ["p2", "w3", *(["c3_bias"] if bias else [])], ["c3"]),
        helper.make_node("BatchNormalization", ["c3", *_norm(rng, "n3", CHANNELS, weights)], ["b3"]),
        helper.make_node("PRelu", ["b3", "a3"], ["p3"]),
        helper.make_node("BatchNormalization", ["p3", *_norm(rng, "n4", CHANNELS, weights)], ["b4"], epsilon=2e-5),
        helper.make_node("Dropout", ["b4"], ["o"]),
        helper.make_node("Flatten", ["o"], ["f"]),
        helper.make_node("Gemm", ["f", "fc", *(["d_bias"] if bias else [])], ["d"], transB=1),
        helper.make_node("BatchNormalization", ["d", *_norm(rng, "n5", 16, weights)], ["y"]),
    ]
    return _model(nodes, weights, inputs={"x": ["n", 3, 8, 8]})


@pytest.mark.parametrize("bias", [True, False])
def test_batch_norms_are_folded(bias):
    written = _kept(_recogniser(bias=bias), "fold-batch-norm", x=_image(height=8, width=8))
    assert _operators(written).count("BatchNormalization") == 1 and "Dropout" not in _operators(written)


@pytest.mark.parametrize("bias", [True, False])
def test_the_norm_before_the_last_layer_is_folded(bias):
    written = _kept(_recogniser(bias=bias), "fold-batch-norm", "fold-last-norm", x=_image(height=8, width=8))
    assert "BatchNormalization" not in _operators(written)


@pytest.mark.parametrize(
    ("options", "bias"), [({}, True), ({}, False), ({"alpha": 0.5}, True), ({"beta": 2.0}, True), ({"transB": 0}, True)]
)
def test_a_norm_before_a_dense_layer_is_folded_or_left(options, bias):
    rng = np.random.default_rng(13)
    weights = {"w": rng.normal(size=(5, 3 * 8) if options.get("transB", 1) else (3 * 8, 5)).astype(np.float32)}
    weights |= {"b": rng.normal(size=5).astype(np.float32)} if bias else {}
    nodes = [
        helper.make_node("BatchNormalization", ["x", *_norm(rng, "n", 3, weights)], ["m"]),
        helper.make_node("Flatten", ["m"], ["f"]),
        helper.make_node("Gemm", ["f", "w", *(["b"] if bias else [])], ["y"], **{"transB": 1, **options}),
    ]
    model = _model(nodes, weights, inputs={"x": ["n", 3, 2, 4]})
    _kept(model, "fold-last-norm", x=_image(13, height=2, width=4))


def test_all_rewrites_of_a_recogniser_together():
    model = _recogniser()
    written = _kept(model, "free-axes", "fold-batch-norm", "split-prelu", "fold-last-norm", x=_image(height=8, width=8))
    assert set(_operators(written)) == {"Conv", "Relu", "Add", "Flatten", "Gemm"}


def _after_convolution(kind, rng):
    weights = {"w": rng.normal(size=(CHANNELS, 3, 3, 3)).astype(np.float32)}
    nodes, outputs = [helper.make_node("Conv", ["x", "w"], ["c"])], ("y",)
    norm = helper.make_node("BatchNormalization", ["c", *_norm(rng, "n", CHANNELS, weights)], ["y"])
    if kind == "second reader":
        nodes.append(helper.make_node("Relu", ["c"], ["z"]))
        outputs = ("y", "z")
    elif kind == "graph output":
        outputs = ("c", "y")
    elif kind == "shared weight":
        nodes.append(helper.make_node("Conv", ["x", "w"], ["z"]))
        outputs = ("y", "z")
    elif kind == "norm after norm":
        norm.output[0] = "b"
        nodes.append(norm)
        norm = helper.make_node("BatchNormalization", ["b", *_norm(rng, "m", CHANNELS, weights)], ["y"])
    elif kind == "one bias for all":
        weights["bias"] = np.zeros(CHANNELS, np.float32)
        nodes[0].input.append("bias")
    return _model([*nodes, norm], weights, outputs=outputs)


@pytest.mark.parametrize(
    "kind", ["alone", "second reader", "graph output", "shared weight", "norm after norm", "one bias for all"]
)
def test_a_norm_is_folded_only_where_nobody_else_sees_the_convolution(kind):
    _kept(_after_convolution(kind, np.random.default_rng(1)), "fold-batch-norm", x=_image())


@pytest.mark.parametrize(("transposed", "alpha", "beta"), [(1, 1.0, 1.0), (0, 1.0, 1.0), (1, 0.5, 1.0), (1, 1.0, 2.0)])
def test_a_norm_after_a_dense_layer_is_folded_or_left(transposed, alpha, beta):
    rng = np.random.default_rng(2)
    weights = {"w": rng.normal(size=(5, 4) if transposed else (4, 5)).astype(np.float32)}
    weights["b"] = rng.normal(size=5).astype(np.float32)
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["d"], transB=transposed, alpha=alpha, beta=beta),
        helper.make_node("BatchNormalization", ["d", *_norm(rng, "n", 5, weights)], ["y"]),
    ]
    model = _model(nodes, weights, inputs={"x": ["n", 4]})
    _kept(model, "fold-batch-norm", x=rng.normal(size=(3, 4)).astype(np.float32))


READERS = {
    "convolution": [("Conv", ["p", "v"], ["y"], {})],
    "depthwise": [("Conv", ["p", "vd"], ["y"], {"group": CHANNELS})],
    "depthwise, two each": [("Conv", ["p", "vd2"], ["y"], {"group": CHANNELS})],
    "three groups": [("Conv", ["p", "vg"], ["y"], {"group": 3})],
    "padded": [("Conv", ["p", "v"], ["y"], {"pads": [1] * 4, "strides": [2, 2]})],
    "two": [("Conv", ["p", "v"], ["q"], {}), ("Conv", ["p", "v"], ["r"], {}), ("Add", ["q", "r"], ["y"], {})],
    "itself": [("Add", ["p", "c"], ["y"], {})],
    "pooling": [("MaxPool", ["p"], ["y"], {"kernel_shape": [2, 2]})],
}
SLOPES = {
    "usual": [0.0, 0.1, 0.25, 0.5, 0.7, 0.9],
    "negative": [-2.0, -0.5, -0.01, 0.0, 0.3, 0.98],
    "near one": [0.1, 0.991, 0.9999, 0.3, 0.2, 0.1],
    "one and more": [1.0, 1.5, 3.0, 0.0, -1.0, 0.5],
}


def _prelu(reader, slopes, *, outputs=("y",), shape=(-1, 1, 1)):
    rng = np.random.default_rng(3)
    weights = {
        "w": rng.normal(size=(CHANNELS, 3, 3, 3)).astype(np.float32),
        "a": np.array(slopes, np.float32).reshape(shape),
        "v": rng.normal(size=(4, CHANNELS, 3, 3)).astype(np.float32),
        "vd": rng.normal(size=(CHANNELS, 1, 3, 3)).astype(np.float32),
        "vd2": rng.normal(size=(2 * CHANNELS, 1, 3, 3)).astype(np.float32),
        "vg": rng.normal(size=(9, CHANNELS // 3, 3, 3)).astype(np.float32),
    }
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("PRelu", ["c", "a"], ["p"])]
    nodes += [
        helper.make_node(kind, reads, makes, **options) for kind, reads, makes, options in READERS.get(reader, [])
    ]
    return _model(nodes, weights, outputs=outputs)


@pytest.mark.parametrize("slopes", SLOPES)
@pytest.mark.parametrize("reader", READERS)
def test_prelu_is_split_whoever_reads_it(reader, slopes):
    written = _kept(_prelu(reader, SLOPES[slopes]), "split-prelu", x=_image(3))
    assert "PRelu" not in _operators(written)


@pytest.mark.parametrize("slopes", SLOPES)
def test_slopes_with_an_axis_for_the_batch_as_torch_exports_them_are_split_too(slopes):
    model = _prelu("convolution", SLOPES[slopes], shape=(1, -1, 1, 1))
    assert "PRelu" not in _operators(_kept(model, "split-prelu", x=_image(3)))


@pytest.mark.parametrize("slopes", SLOPES)
def test_a_prelu_that_is_an_output_keeps_its_name_and_value(slopes):
    _kept(_prelu("none", SLOPES[slopes], outputs=("p",)), "split-prelu", x=_image(4))
    _kept(_prelu("convolution", SLOPES[slopes], outputs=("p", "y")), "split-prelu", x=_image(4))


def test_two_prelus_share_a_convolution_after_them_without_mixing_their_slopes():
    rng = np.random.default_rng(5)
    weights = {
        "w": rng.normal(size=(CHANNELS, CHANNELS, 1, 1)).astype(np.float32),
        "f": rng.normal(size=(CHANNELS, 3, 1, 1)).astype(np.float32),
        "a": rng.uniform(0, 0.9, (CHANNELS, 1, 1)).astype(np.float32),
        "b": rng.uniform(0, 0.9, (CHANNELS, 1, 1)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "f"], ["c"]),
        helper.make_node("PRelu", ["c", "a"], ["p"]),
        helper.make_node("PRelu", ["c", "b"], ["q"]),
        helper.make_node("Conv", ["p", "w"], ["r"]),
        helper.make_node("Conv", ["q", "w"], ["s"]),
        helper.make_node("Sub", ["r", "s"], ["y"]),
    ]
    _kept(_model(nodes, weights), "split-prelu", x=_image(5))


def _fixed_batch(shape_from):
    """Conv on one picture, flattened by a Reshape to a literal (1, 24), then Gemm with a reshaped weight."""
    rng = np.random.default_rng(6)
    weights = {
        "w": rng.normal(size=(6, 3, 2, 2)).astype(np.float32),
        "fc": rng.normal(size=(5, 24)).astype(np.float32),
        "s": rng.normal(size=6).astype(np.float32),
    }
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], strides=[2, 2])]
    last = "c"
    if shape_from == "weight reshaped":
        weights["to"] = np.array([1, 6, 1, 1], np.int64)
        nodes += [helper.make_node("Reshape", ["s", "to"], ["t"]), helper.make_node("Mul", ["c", "t"], ["m"])]
        last = "m"
    if shape_from == "constant":
        nodes.append(helper.make_node("Constant", [], ["shape"], value=numpy_helper.from_array(np.array([1, -1]), "v")))
    else:
        weights["shape"] = np.array([1, 24], np.int64)
    nodes += [
        helper.make_node("Reshape", [last, "shape"], ["f"]),
        helper.make_node("Gemm", ["f", "fc"], ["y"], transB=1),
    ]
    return _model(nodes, weights, inputs={"x": [1, 3, 4, 4]})


@pytest.mark.parametrize("shape_from", ["initialiser", "constant", "weight reshaped"])
def test_freeing_the_batch_gives_each_row_what_it_had_alone(shape_from):
    model, images = _fixed_batch(shape_from), _image(7, count=3, height=4, width=4)
    freed = _kept(model, "free-axes", x=images[:1])
    together = _run(freed, x=images)[0]
    for row in range(3):
        assert np.allclose(together[row], _run(model, x=images[row : row + 1])[0][0], rtol=1e-4, atol=1e-5)


def test_freeing_the_sides_lets_any_size_through():
    weights = {"w": np.random.default_rng(8).normal(size=(2, 3, 3, 3)).astype(np.float32)}
    model = _model([helper.make_node("Conv", ["x", "w"], ["y"])], weights, inputs={"x": [1, 3, 8, 8]})
    large = _image(8, count=2, height=12, width=20)
    found = _run(_kept(model, "free-sides", x=_image(9, count=1, height=8, width=8)), x=large)[0]
    assert found.shape == (2, 2, 10, 18)
    assert np.allclose(found[1:, :, :6, :6], _run(model, x=large[1:, :, :8, :8])[0], rtol=1e-4, atol=1e-4)


def _strides(names):
    nodes = [helper.make_node("Identity", [f"in_{name}"], [name]) for name in names]
    inputs = {f"in_{name}": ["n", f"cells{name}", 4] for name in names}
    graph = helper.make_graph(
        nodes, "strides",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", f"c{name}", 4]) for name in names],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_strides_are_joined_from_the_finest_to_the_coarsest():
    names = ["box_16", "cls_8", "box_8", "cls_32", "box_32", "cls_16"]
    model = _strides(names)
    before = model.SerializeToString()
    rng = np.random.default_rng(10)
    parts = {name: rng.normal(size=(2, 64 // int(name[4:]), 4)).astype(np.float32) for name in names}
    joined = REWRITES["join-strides"](model)
    values = _run(joined, **{f"in_{name}": value for name, value in parts.items()})
    found = dict(zip((output.name for output in joined.graph.output), values, strict=True))
    assert set(found) == {"box", "cls"} and model.SerializeToString() == before
    for kind, value in found.items():
        assert np.array_equal(value, np.concatenate([parts[f"{kind}_{stride}"] for stride in (8, 16, 32)], axis=1))


@pytest.mark.parametrize("name", ["box", "box_left", "_8"])
def test_outputs_without_a_stride_are_refused(name):
    with pytest.raises(ModelError, match=rf"{name} is not named after its stride"):
        REWRITES["join-strides"](_strides(["box_8", name]))


@st.composite
def _blocks(draw):
    shape = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    axis, size = draw(st.integers(0, len(shape) - 1)), draw(st.integers(1, 5))
    return shape, axis, size, draw(st.booleans()), draw(st.integers(0, 2**32 - 1)), draw(st.booleans())


@settings(max_examples=60, deadline=None)
@given(_blocks())
def test_blocks_are_dequantised_as_by_a_loop(drawn):
    shape, axis, size, with_points, seed, from_the_end = drawn
    rng = np.random.default_rng(seed)
    quantised = rng.integers(-128, 128, shape, dtype=np.int8)
    blocks = [-(-side // size) if place == axis else side for place, side in enumerate(shape)]
    scale = rng.uniform(0.01, 2, blocks).astype(np.float32)
    points = rng.integers(-128, 128, blocks, dtype=np.int8) if with_points else None
    found = dequantise_blocks(
        quantised, scale, points, axis=axis - len(shape) if from_the_end else axis, block_size=size
    )
    expected = np.empty(shape, np.float32)
    for place in np.ndindex(*shape):
        block = tuple(number // size if row == axis else number for row, number in enumerate(place))
        expected[place] = (float(quantised[place]) - (float(points[block]) if with_points else 0)) * scale[block]
    assert found.dtype == np.float32 and np.allclose(found, expected, rtol=1e-6)


def test_scales_that_do_not_cover_the_weights_are_refused():
    with pytest.raises(ModelError, match="do not cover"):
        dequantise_blocks(np.zeros((3, 10), np.int8), np.ones((3, 2), np.float32), None, axis=1, block_size=4)
    with pytest.raises(ModelError, match="do not cover"):
        dequantise_blocks(np.zeros((3, 10), np.int8), np.ones(4, np.float32), None, axis=1, block_size=0)


def _quantised_weight(kind, shape):
    rng = np.random.default_rng(11)
    weights = {"q": rng.integers(-128, 128, (4, 30), dtype=np.int8), "to": np.array(shape, np.int64)}
    options = {}
    if kind == "blocks":
        weights["s"], options = rng.uniform(0.01, 0.1, (4, 4)).astype(np.float32), {"axis": 1, "block_size": 8}
    elif kind == "rows":
        weights["s"], options = rng.uniform(0.01, 0.1, 4).astype(np.float32), {"axis": 0}
    else:
        weights["s"] = np.float32(0.05)
    weights["z"] = rng.integers(-9, 9, np.shape(weights["s"]), dtype=np.int8)
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["r"], **options),
        helper.make_node("Reshape", ["r", "to"], ["w"]),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    return _model(nodes, weights, inputs={"x": ["n", 4]}, opset=21)


@pytest.mark.parametrize("shape", [[4, 30], [-1, 30], [0, 30], [0, -1]])
@pytest.mark.parametrize("kind", ["blocks", "rows", "whole"])
def test_stored_integers_become_plain_weights(kind, shape):
    rows = np.random.default_rng(12).normal(size=(3, 4)).astype(np.float32)
    written = _kept(_quantised_weight(kind, shape), "dequantise", x=rows)
    assert _operators(written) == ["MatMul"] and [tensor.name for tensor in written.graph.initializer] == ["w"]


def test_activations_that_are_quantised_stay():
    weights = {"s": np.float32(0.1), "z": np.int8(0)}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    assert len(_operators(_kept(_model(nodes, weights), "dequantise", x=_image()))) == 2


def test_what_cannot_be_rewritten_is_a_model_error():
    data = _recogniser().SerializeToString()
    with pytest.raises(ModelError, match=r"no graph rewrite 'faster'.*split-prelu"):
        rewrite(data, ("faster",), name="tiny")
    for other in (b"", b"not a network", data[: len(data) // 2]):
        with pytest.raises(ModelError, match="tiny"):
            rewrite(other, (), name="tiny")


def _plain(seed=0):
    """The recogniser with all norms folded, so that convolutions, PReLUs and one dense layer are left."""
    return REWRITES["fold-last-norm"](REWRITES["fold-batch-norm"](_recogniser(seed=seed)))


def _activation(model, name, **feeds):
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    twin.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return _run(twin, **feeds)[-1]


def _ranges(model, names=("p1", "p2", "p3")):
    images = _image(20, count=200, height=8, width=8)
    return {name: np.abs(_activation(model, name, x=images)).max(axis=(0, 2, 3)) for name in names}


def _cosine(left, right):
    return (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)


@pytest.mark.parametrize("names", [("p1", "p2", "p3"), ("p3",), ("p3", "p1")])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_int8_comes_close_to_full_precision(names, seed):
    model = _plain(seed)
    before = model.SerializeToString()
    written = quantise(model, _ranges(model, names))
    onnx.checker.check_model(written)
    assert model.SerializeToString() == before
    assert _operators(written).count("QuantizeLinear") == len(names)
    assert {value.dtype for value in graphs.Graph(written).weights.values()} >= {np.dtype(np.int8)}
    images = _image(21, count=20, height=8, width=8)
    assert _cosine(_run(written, x=images)[0], _run(model, x=images)[0]).min() > 0.99


def test_channels_of_very_different_range_cost_each_other_no_resolution():
    """PReLU is homogeneous: dividing channel c by s and multiplying what reads it changes nothing, quantised or not."""
    network = graphs.Graph(_plain())
    factor = np.logspace(-3, 3, CHANNELS)
    first, second = (next(node for node in network.nodes if name in node.output) for name in ("b1", "b2"))
    for place, shape in ((1, (-1, 1, 1, 1)), (2, (-1,))):
        network.weights[first.input[place]] = (network.weights[first.input[place]] * factor.reshape(shape)).astype(
            np.float32
        )
    network.weights[second.input[1]] = (network.weights[second.input[1]] / factor.reshape(-1, 1, 1, 1)).astype(
        np.float32
    )
    uneven, images = network.model(), _image(22, count=20, height=8, width=8)
    assert np.allclose(_run(uneven, x=images)[0], _run(_plain(), x=images)[0], rtol=1e-3, atol=1e-3)
    found = _run(quantise(uneven, _ranges(uneven)), x=images)[0]
    assert _cosine(found, _run(uneven, x=images)[0]).min() > 0.99


@pytest.mark.parametrize(
    ("ranges", "word"),
    [
        ({"nowhere": np.ones(CHANNELS)}, "nowhere"),
        ({"p1": np.ones(CHANNELS + 1)}, "7 channels"),
        ({"b1": np.ones(CHANNELS)}, "b1"),
        ({"f": np.ones(CHANNELS)}, "f"),
        ({"y": np.ones(16)}, "y"),
    ],
)
def test_ranges_of_another_network_are_refused(ranges, word):
    with pytest.raises(ModelError, match=word) as caught:
        quantise(_plain(), ranges)
    assert caught.value.reason == "model.ranges"


ENGINES = ["onnxruntime", "openvino"]


def _session(engine, model=None, **options):
    if engine == "openvino":
        pytest.importorskip("openvino")
    data = (model or _recogniser()).SerializeToString()
    return open_session(data, EngineOptions(engine=engine, precision="fp32", **options), name="tiny")


def _two_outputs():
    nodes = [helper.make_node("Neg", ["x"], ["minus"]), helper.make_node("Abs", ["x"], ["size"])]
    return _model(nodes, {}, inputs={"x": ["n", 3]}, outputs=("minus", "size"))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_session_names_what_it_takes_and_gives(engine):
    session = _session(engine, _two_outputs())
    assert isinstance(session, Session) and (session.engine, session.precision) == (engine, "fp32")
    assert session.input_names == ("x",) and session.output_names == ("minus", "size") and session.version
    rows = np.array([[1, -2, 3]], np.float32)
    assert [value.tolist() for value in session.run({"x": rows})] == [[[-1, 2, -3]], [[1, 2, 3]]]
    assert [value.tolist() for value in session.run({"x": rows}, ["size"])] == [[[1, 2, 3]]]
    assert [value.tolist() for value in session.run({"x": rows}, ["size", "minus"])] == [[[1, 2, 3]], [[-1, 2, -3]]]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ({"z": np.ones((1, 3), np.float32)}, None),
        ({}, None),
        ({"x": np.ones((1, 4), np.float32)}, None),
        ({"x": np.ones(3, np.float32)}, None),
        ({"x": np.array([["a", "b", "c"]])}, None),
        ({"x": np.ones((1, 3), np.float32)}, ["nothing"]),
    ],
)
def test_an_input_or_output_that_the_network_does_not_have_is_a_wrong_call(engine, inputs, outputs):
    session = _session(engine, _two_outputs())
    with pytest.raises(UsageError, match="tiny"):
        session.run(inputs, outputs)
    assert session.run({"x": np.ones((1, 3), np.float32)})[0].tolist() == [[-1, -1, -1]]


@pytest.mark.parametrize("engine", ENGINES)
def test_results_belong_to_the_caller(engine):
    session = _session(engine, _two_outputs())
    first = session.run({"x": np.ones((1, 3), np.float32)})[0]
    session.run({"x": np.zeros((1, 3), np.float32)})
    assert first.tolist() == [[-1, -1, -1]]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_input_that_is_a_view_is_read_in_its_order(engine):
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)[::-2, ::-1]
    assert _session(engine, _two_outputs()).run({"x": rows})[0].tolist() == (-rows).tolist()


@pytest.mark.parametrize("engine", ENGINES)
def test_eight_threads_get_what_one_gets(engine):
    session = _session(engine, threads=4)
    images = [_image(seed, count=1 + seed % 3, height=8, width=8) for seed in range(16)]
    serial = [session.run({"x": image})[0] for image in images]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda image: session.run({"x": image})[0], images))
    for found, expected in zip(together, serial, strict=True):
        assert np.array_equal(found, expected) if engine == "onnxruntime" else np.allclose(found, expected, atol=1e-5)


def test_engines_agree_in_full_precision():
    images = _image(30, count=5, height=8, width=8)
    expected = _run(_recogniser(), x=images)[0]
    for engine in ENGINES:
        found = _session(engine).run({"x": images})[0]
        assert np.allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_engines_agree_in_int8():
    pytest.importorskip("openvino")
    model = _plain()
    data = quantise(model, _ranges(model)).SerializeToString()
    images = _image(31, count=20, height=8, width=8)
    session = open_session(data, EngineOptions(engine="openvino", precision="int8"), name="tiny")
    assert session.precision == "int8"
    assert _cosine(session.run({"x": images})[0], _run(model, x=images)[0]).min() > 0.98


@pytest.mark.parametrize("engine", ENGINES)
def test_bytes_that_are_no_network_are_refused(engine):
    if engine == "openvino":
        pytest.importorskip("openvino")
    unknown = helper.make_model(
        helper.make_graph(
            [helper.make_node("Conjure", ["x"], ["y"])], "tiny",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
        ), opset_imports=[helper.make_opsetid("", 17)], ir_version=9,
    )  # fmt: skip
    for data in (b"not a network", unknown.SerializeToString()):
        with pytest.raises(ModelError, match="tiny") as caught:
            open_session(data, EngineOptions(engine=engine), name="tiny")
        assert caught.value.reason == "model.refused" and "\n" not in str(caught.value)


def test_cuda_without_cuda_is_an_error_and_no_silent_return():
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(ModelError, match="onnxruntime-gpu") as caught:
        open_session(_recogniser().SerializeToString(), EngineOptions(device="cuda"), name="tiny")
    assert caught.value.reason == "model.device"


def test_bf16_is_what_the_processor_says():
    openvino_session = pytest.importorskip("visavis.runtime.openvino_session")
    pytest.importorskip("openvino")
    data = _recogniser().SerializeToString()
    best = "bf16" if openvino_session.has_bf16() else "fp32"
    assert open_session(data, EngineOptions(engine="openvino"), name="tiny").precision == best
    assert ("bf16" in openvino_session.precisions()) == (best == "bf16")
    options = EngineOptions(engine="openvino", precision="bf16")
    if best == "bf16":
        found = open_session(data, options, name="tiny").run({"x": _image(32, height=8, width=8)})[0]
        assert _cosine(found, _run(_recogniser(), x=_image(32, height=8, width=8))[0]).min() > 0.99
    else:
        with pytest.raises(ModelError, match="bf16"):
            open_session(data, options, name="tiny")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"engine": "tensorflow"}, "onnxruntime or openvino"),
        ({"precision": "fp16"}, "auto or fp32 or bf16 or int8"),
        ({"device": "tpu"}, "cpu or cuda"),
        ({"threads": 0}, "at least 1"),
        ({"threads": -2}, "at least 1"),
        ({"precision": "bf16"}, "bf16 needs engine='openvino'"),
        ({"precision": "int8"}, "int8 needs engine='openvino'"),
        ({"engine": "openvino", "device": "cuda"}, "CUDA needs engine='onnxruntime'"),
    ],
)
def test_options_that_exclude_each_other_are_refused(options, word):
    with pytest.raises(UsageError, match=word):
        EngineOptions(**options)


VARIABLES = ("VISAVIS_ENGINE", "VISAVIS_PRECISION", "VISAVIS_THREADS")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((None, None, None), EngineOptions()),
        (("", "", ""), EngineOptions()),
        (("openvino", "int8", "3"), EngineOptions(engine="openvino", precision="int8", threads=3)),
        (("onnxruntime", "fp32", "1"), EngineOptions(precision="fp32", threads=1)),
        (("torch", None, None), "torch"),
        ((None, "half", None), "half"),
        ((None, "bf16", None), "openvino"),
        ((None, None, "many"), "VISAVIS_THREADS.*many"),
        ((None, None, "1.5"), "VISAVIS_THREADS"),
        ((None, None, "0"), "at least 1"),
    ],
)
def test_the_environment_sets_the_defaults(monkeypatch, values, expected):
    for name, value in zip(VARIABLES, values, strict=True):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    if isinstance(expected, str):
        with pytest.raises(UsageError, match=expected):
            EngineOptions.default()
    else:
        assert EngineOptions.default() == expected
        assert EngineOptions.default().workers == (expected.threads or EngineOptions().workers) >= 1
