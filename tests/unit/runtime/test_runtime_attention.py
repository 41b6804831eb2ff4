"""The attention output against logits that are computed in numpy, on small transformers written as ONNX graphs."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from visavis.errors import ModelError
from visavis.recognition.own_cards import SMALL_TRANSFORMER
from visavis.runtime import graphs
from visavis.runtime.attention import ATTENTION, _patches, tell_attention
from visavis.runtime.rewrites import rewrite
from visavis.runtime.weights import read_weights

SIDE, PATCH, WIDTH, HEADS = 20, 4, 12, 3
PATCHES = (SIDE // PATCH) ** 2
RNG = np.random.default_rng(1)
CONV = RNG.normal(size=(WIDTH, 3, PATCH, PATCH)).astype(np.float32) / 5
QUERY, KEY = (RNG.normal(size=(2, WIDTH, WIDTH)) / 2).astype(np.float32)
CLASS = RNG.normal(size=(1, 2, WIDTH)).astype(np.float32)
BIAS = RNG.normal(size=(HEADS, PATCHES, PATCHES)).astype(np.float32)


def transformer(*, scale="after", leading=0, bias=False, flat=False, kind=TensorProto.FLOAT, activation="Softmax"):
    """One block of attention; how its scale, class tokens, positions and heads are written down differs."""
    tokens, length = PATCHES + leading, WIDTH // HEADS
    nodes = [
        ("Conv", ["input", "conv"], "map", {"kernel_shape": [PATCH] * 2, "strides": [PATCH] * 2}),
        ("Reshape", ["map", "to_rows"], "rows", {}),
        ("Transpose", ["rows"], "patches", {"perm": [0, 2, 1]}),
    ]
    weights = {"conv": CONV, "to_rows": [0, WIDTH, PATCHES], "w_query": QUERY, "w_key": KEY}
    last = "patches"
    if leading:
        weights |= {"class": CLASS[:, :leading], "none": np.zeros((1, 1, 1), np.float32)}
        nodes += [
            ("ReduceMean", ["patches"], "mean", {"axes": [1, 2], "keepdims": 1}),
            ("Mul", ["mean", "none"], "blank", {}),
            ("Add", ["blank", "class"], "classes", {}),
            ("Concat", ["classes", "patches"], "all", {"axis": 1}),
        ]
        last = "all"
    if kind == TensorProto.FLOAT16:
        nodes.append(("Cast", [last], "half", {"to": kind}))
        last = "half"
        weights |= {name: weights[name].astype(np.float16) for name in ("w_query", "w_key")}
    weights["split"] = [-1, tokens, HEADS, length]
    for name, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1])):
        nodes += [
            ("MatMul", [last, f"w_{name}"], f"{name}_rows", {}),
            ("Reshape", [f"{name}_rows", "split"], f"{name}_split", {}),
            ("Transpose", [f"{name}_split"], f"{name}_heads", {"perm": order}),
        ]
    query, key = "query_heads", "key_heads"
    number = np.float16 if kind == TensorProto.FLOAT16 else np.float32
    weights |= {"factor": np.array(length**-0.5, number), "root": np.array(length**0.5, number)}
    if scale == "before":
        nodes.append(("Mul", [query, "factor"], "query_scaled", {}))
        query = "query_scaled"
    if flat:
        weights |= {"flat_query": [-1, tokens, length], "flat_key": [-1, length, tokens]}
        nodes += [("Reshape", [query, "flat_query"], "query_flat", {}), ("Reshape", [key, "flat_key"], "key_flat", {})]
        query, key = "query_flat", "key_flat"
    nodes.append(("MatMul", [query, key], "product", {}))
    logits = "product"
    if scale in ("after", "divided"):
        given = ("Mul", "factor") if scale == "after" else ("Div", "root")
        nodes.append((given[0], [logits, given[1]], "scaled", {}))
        logits = "scaled"
    if bias:
        weights["position"] = BIAS
        nodes.append(("Add", [logits, "position"], "placed", {}))
        logits = "placed"
    weights["shape"] = [-1, HEADS * tokens * tokens]
    nodes += [
        (activation, [logits], "weights", {"axis": -1} if activation == "Softmax" else {}),
        ("Cast", ["weights"], "wide", {"to": TensorProto.FLOAT}),
        ("Reshape", ["wide", "shape"], "embedding", {}),
    ]
    return graph(nodes, weights, HEADS * tokens * tokens)


def graph(nodes, weights, dimension):
    made = [helper.make_node(kind, given, [out], **more) for kind, given, out, more in nodes]
    stored = [
        numpy_helper.from_array(np.array(value, np.int64) if isinstance(value, list) else value, name)
        for name, value in weights.items()
    ]
    return helper.make_model(
        helper.make_graph(
            made,
            "g",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", dimension])],
            stored,
        ),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=9,
    )


def run(model, x):
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"input": x})


def expected(x):
    """The mean logit of each patch, over heads and patches."""
    windows = x.reshape(len(x), 3, SIDE // PATCH, PATCH, SIDE // PATCH, PATCH).transpose(0, 2, 4, 1, 3, 5)
    tokens = windows.reshape(len(x), PATCHES, -1) @ CONV.reshape(WIDTH, -1).T
    query, key = ((tokens @ weight).reshape(len(x), PATCHES, HEADS, -1) for weight in (QUERY, KEY))
    logits = np.einsum("nihd,njhd->nhij", query, key) * (WIDTH // HEADS) ** -0.5
    return logits.mean(axis=(1, 2))


@pytest.fixture
def x():
    return RNG.normal(size=(4, 3, SIDE, SIDE)).astype(np.float32)


FORMS = [
    {"scale": "before"},
    {"scale": "after"},
    {"scale": "divided"},
    {"bias": True},
    {"leading": 1},
    {"leading": 2, "scale": "before"},
    {"flat": True},
]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_map_is_the_mean_logit_before_bias_and_softmax(form, x):
    plain, told = transformer(**form), tell_attention(transformer(**form))
    embedding, found = run(told, x)
    np.testing.assert_array_equal(embedding, run(plain, x)[0])
    np.testing.assert_allclose(found, expected(x), rtol=1e-4, atol=1e-5)
    assert [value.name for value in told.graph.output] == ["embedding", ATTENTION]
    assert abs(found[0].mean() - found[1].mean()) > 1e-4
    assert abs(found.mean() - 1 / PATCHES) > 1e-4  # the mean of weights behind the softmax, for any picture
    np.testing.assert_array_equal(run(told, x[1:2])[1], found[1:2])


def test_half_precision_is_summed_in_float32(x):
    told = tell_attention(transformer(kind=TensorProto.FLOAT16))
    found = run(told, x)[1]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(x), rtol=5e-3, atol=5e-3)


def test_asking_twice_changes_nothing(x):
    once = tell_attention(transformer())
    assert tell_attention(once).SerializeToString() == once.SerializeToString()


def no_softmax():
    return transformer(activation="Sigmoid")


def windows():
    """Attention within rows of patches: as many rows as there are windows."""
    side = SIDE // PATCH
    nodes = [
        ("Conv", ["input", "conv"], "map", {"kernel_shape": [PATCH] * 2, "strides": [PATCH] * 2}),
        ("Transpose", ["map"], "rows", {"perm": [0, 2, 3, 1]}),
        ("Reshape", ["rows", "split"], "windows", {}),
        ("Transpose", ["windows"], "turned", {"perm": [0, 1, 3, 2]}),
        ("MatMul", ["windows", "turned"], "product", {}),
        ("Softmax", ["product"], "weights", {"axis": -1}),
        ("Reshape", ["weights", "shape"], "embedding", {}),
    ]
    return graph(nodes, {"conv": CONV, "split": [-1, 1, side, WIDTH], "shape": [-1, side**3]}, side**3)


def fused():
    model = transformer()
    for node in model.graph.node:
        if node.op_type == "Softmax":
            node.op_type, node.domain = "MultiHeadAttention", "com.microsoft"
    return model


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (no_softmax, "no softmax of it stands behind a product"),
        (windows, "through windows"),
        (fused, "MultiHeadAttention; export it unfused"),
    ],
)
def test_other_networks_are_refused_with_the_reason(make, why):
    with pytest.raises(ModelError, match=why) as error:
        tell_attention(make())
    assert error.value.reason == "model.attention" and "visavis-vit-t" in str(error.value)


def test_tokens_that_are_no_square_are_refused():
    assert [_patches(tokens) for tokens in (9, 10, 17, 49, 50, 196, 197, 201)] == [9, 9, 16, 49, 49, 196, 196, 196]
    with pytest.raises(ModelError, match="its 210 tokens are not a square"):
        _patches(210)


def test_the_shipped_transformer_tells_its_attention_and_keeps_its_embedding_bitwise():
    data, card = read_weights(SMALL_TRANSFORMER)
    assert "tell-attention" in card.rewrites
    without = tuple(step for step in card.rewrites if step != "tell-attention")
    x = RNG.integers(0, 256, (5, 112, 112, 3), dtype=np.uint8)
    results = [
        onnxruntime.InferenceSession(rewrite(data, steps, name="t", contract=card.contract)).run(None, {"pixels": x})
        for steps in (without, card.rewrites)
    ]
    np.testing.assert_array_equal(results[0][0], results[1][0])
    model = graphs.parse(rewrite(data, without, name="t", contract=card.contract), name="t")
    softmax = [node for node in model.graph.node if node.op_type == "Softmax"][-1]
    model.graph.output.append(onnx.ValueInfoProto(name=softmax.input[0]))
    logits = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"pixels": x})[1]
    assert logits.shape == (5, 6, 49, 49)
    np.testing.assert_allclose(results[1][1], logits.mean(axis=(1, 2)), atol=1e-5)
