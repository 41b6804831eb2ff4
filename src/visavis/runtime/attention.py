"""A second output of vision transformers: how much attention each patch gets in the last block."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import ModelError
from visavis.runtime import graphs

if TYPE_CHECKING:
    import onnx

ATTENTION = "attention"
"""Name of the output."""
REWRITE = "tell-attention"
"""Name of the rewrite on cards."""
_FUSED = ("Attention", "MultiHeadAttention", "PackedMultiHeadAttention", "GroupQueryAttention")
_LEADING = 8
"""Most tokens before the patches: class, distillation and register tokens."""


@dataclass(frozen=True, slots=True)
class _Product:
    """A product of queries and keys on its way into a softmax.

    Attributes:
        node: The MatMul.
        factor: What its result is multiplied by before the softmax.
    """

    node: onnx.NodeProto
    factor: float


def tell_attention(model: onnx.ModelProto) -> onnx.ModelProto:
    """Add the output ``attention``, float32 ``(batch, patches)``; everything else stays as it is.

    In the last block, per patch j: the mean over heads h and queries i of the logits ``scale q_ih . k_jh``, before the
    softmax and before anything that is added to them. As the mean over i can be taken first, no matrix of all pairs
    is made: ``scale / H sum_h mean_i(q_ih) . k_jh``. Class and register tokens stand before the patches and are left
    out on both sides. ATTN-FIQA (FG 2026, arXiv 2604.22841); its score is the mean of these values.

    Args:
        model: A vision transformer with one image input ``(N, C, H, W)``.

    Raises:
        ModelError: It is none, it looks through windows, or its attention is fused into one operator.
    """
    from onnx import TensorProto, helper

    network = graphs.Graph(model)
    if network.is_output(ATTENTION):
        return model
    products = _products(network)
    if not products:
        raise _refused(_without(network))
    heads, tokens = _shapes(model, network, products)
    patches = _patches(tokens)
    leading = tokens - patches
    last = products[-1]
    query, key = last.node.input
    constants: dict[str, NDArray[Any]] = {
        "mean": np.where(np.arange(tokens) < leading, 0, 1 / patches).astype(np.float32).reshape(1, tokens),
        "heads": np.full((1, heads), last.factor / heads, np.float32),
        "split": np.array([-1, heads, tokens], np.int64),
        "patches": np.arange(leading, tokens, dtype=np.int64),
        "flat": np.array([-1, patches], np.int64),
    }
    network.weights |= {_name(name): values for name, values in constants.items()}
    steps: tuple[tuple[str, list[str], str, dict[str, Any]], ...] = (
        ("Cast", [query], "query", {"to": TensorProto.FLOAT}),
        ("Cast", [key], "key", {"to": TensorProto.FLOAT}),
        ("MatMul", [_name("mean"), _name("query")], "mean_query", {}),
        ("MatMul", [_name("mean_query"), _name("key")], "by_head", {}),
        ("Reshape", [_name("by_head"), _name("split")], "rows", {}),
        ("MatMul", [_name("heads"), _name("rows")], "received", {}),
        ("Gather", [_name("received"), _name("patches")], "of_patches", {"axis": 2}),
    )
    network.nodes += [helper.make_node(kind, given, [_name(made)], **more) for kind, given, made, more in steps]
    network.nodes.append(helper.make_node("Reshape", [_name("of_patches"), _name("flat")], [ATTENTION]))
    told = network.model()
    told.graph.output.append(helper.make_tensor_value_info(ATTENTION, TensorProto.FLOAT, ["batch", patches]))
    return told


def _name(part: str) -> str:
    return f"{ATTENTION}_{part}"


def _products(network: graphs.Graph) -> list[_Product]:
    """Every product of queries and keys before a softmax, in order."""
    makers = {output: node for node in network.nodes for output in node.output}
    found = (_before(network, makers, node.input[0]) for node in network.nodes if node.op_type == "Softmax")
    return [product for product in found if product is not None]


def _before(network: graphs.Graph, makers: dict[str, onnx.NodeProto], name: str) -> _Product | None:
    """The product of two things that both depend on the image, behind sums, casts and constant factors."""
    node = makers.get(name)
    if node is None:
        return None
    if node.op_type == "MatMul":
        return None if any(one in network.weights for one in node.input) else _Product(node, 1.0)
    if node.op_type in ("Add", "Cast"):
        branches = (_before(network, makers, one) for one in node.input)
        return next((branch for branch in branches if branch is not None), None)
    if node.op_type in ("Mul", "Div"):
        return _scaled(network, makers, node)
    return None


def _scaled(network: graphs.Graph, makers: dict[str, onnx.NodeProto], node: onnx.NodeProto) -> _Product | None:
    constant = [one for one in node.input if one in network.weights and network.weights[one].size == 1]
    others = [one for one in node.input if one not in network.weights]
    inner = _before(network, makers, others[0]) if len(constant) == len(others) == 1 else None
    if inner is None or (node.op_type == "Div" and node.input[1] not in network.weights):
        return None
    value = float(network.weights[constant[0]].reshape(()))
    return _Product(inner.node, inner.factor * (value if node.op_type == "Mul" else 1 / value))


def _shapes(model: onnx.ModelProto, network: graphs.Graph, products: list[_Product]) -> tuple[int, int]:
    """Heads and tokens of the last product, from one run on a blank picture; refuses other networks.

    The shapes of all products are looked at: a network that attends within windows has more rows than pictures.
    """
    import onnx

    from visavis.runtime.session import EngineOptions, open_session

    images = [value for value in model.graph.input if value.name not in network.weights]
    sides = images[0].type.tensor_type.shape.dim if len(images) == 1 else ()
    if len(sides) != 4:
        raise _refused("it has not one image input (N, C, H, W)")
    shape = [side.dim_value or free for side, free in zip(sides, (2, 3, 112, 112), strict=True)]
    probe = network.model()
    del probe.graph.output[:]
    probe.graph.output.extend(onnx.ValueInfoProto(name=one.node.output[0]) for one in products)
    session = open_session(probe.SerializeToString(), EngineOptions(threads=1), name="the network")
    found = [one.shape for one in session.run({images[0].name: np.zeros(shape, np.float32)})]
    whole = [len(one) in (3, 4) and one[-1] == one[-2] and _rows(one, shape[0]) for one in found]
    if not all(whole):
        worst = found[whole.index(False)]
        raise _refused(
            f"a product of queries and keys has the shape {worst} for {shape[0]} pictures: it looks through windows, "
            "or from some tokens to others"
        )
    return math.prod(found[-1][:-2]) // shape[0], found[-1][-1]


def _rows(shape: tuple[int, ...], batch: int) -> bool:
    """Whether the rows of a product are pictures, or pictures times heads in one axis."""
    return shape[0] == batch if len(shape) == 4 else shape[0] % batch == 0


def _patches(tokens: int) -> int:
    """The tokens that are patches: the largest square; a few others may stand before them."""
    square = math.isqrt(tokens) ** 2
    if tokens - square > _LEADING:
        raise _refused(f"its {tokens} tokens are not a square of patches and at most {_LEADING} tokens before them")
    return square


def _without(network: graphs.Graph) -> str:
    fused = sorted({node.op_type for node in network.nodes if node.op_type in _FUSED})
    if fused:
        return f"its attention is fused into the operator {', '.join(fused)}; export it unfused"
    return "no softmax of it stands behind a product of queries and keys"


def _refused(why: str) -> ModelError:
    return ModelError(
        f"the attention of the last block is told by vision transformers without windows only; {why}. Use another "
        "quality measure, or a model such as embedder/visavis-vit-t",
        reason="model.attention",
    )
