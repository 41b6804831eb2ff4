"""The input contract in the graph equals the same arithmetic in numpy, for every colour order and reader."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from visavis.cards import InputContract
from visavis.errors import UsageError
from visavis.runtime.pixels import INPUT, take_pixels
from visavis.runtime.session import EngineOptions, open_session

MEAN, SCALE = (104.0, 117.0, 123.0), (0.5, 0.25, 0.125)


def _network(reader):
    weight = np.random.default_rng(0).normal(size=(2, 3, 1, 1)).astype(np.float32)
    nodes = {
        "conv": [helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[1, 1])],
        "plain": [helper.make_node("Identity", ["x"], ["y"])],
    }[reader]
    weights = [numpy_helper.from_array(weight, "w")] if reader == "conv" else []
    sides = ["n", 3, "h", "w"]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, sides)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "c", "h", "w"])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model, weight[:, :, 0, 0] if reader == "conv" else np.eye(3, dtype=np.float32)


@pytest.mark.parametrize("reader", ["conv", "plain"])
@pytest.mark.parametrize("colour", ["rgb", "bgr"])
@pytest.mark.parametrize(("mean", "scale"), [(0.0, 1.0), (127.5, 1 / 128), (MEAN, 1.0), (0.0, SCALE), (MEAN, SCALE)])
def test_the_contract_is_applied_in_the_channel_order_of_the_network(reader, colour, mean, scale):
    model, weight = _network(reader)
    contract = InputContract(colour, mean=mean, scale=scale, size=None)
    data = take_pixels(model, contract, name="tiny").SerializeToString()
    pixels = np.random.default_rng(1).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    found = open_session(data, EngineOptions(), name="tiny").run({INPUT: pixels})[0]
    channels = pixels[..., ::-1] if colour == "bgr" else pixels
    fed = (channels.astype(np.float64) - np.array(mean)) * np.array(scale)
    assert np.allclose(found, np.einsum("oc,nhwc->nohw", weight, fed), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("mean", "scale"), [(0.0, 1.0), (0.0, 1 / 255), (127.5, 1 / 128)])
def test_a_grey_network_is_fed_the_luma_of_the_colours(mean, scale):
    node = helper.make_node("Identity", ["x"], ["y"])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1, "h", "w"]) for name in "xy"]
    graph = helper.make_graph([node], "tiny", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    contract = InputContract("grey", mean=mean, scale=scale, size=None)
    assert (contract.channels, InputContract("bgr").channels) == (1, 3)
    data = take_pixels(model, contract, name="tiny").SerializeToString()
    pixels = np.random.default_rng(1).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    found = open_session(data, EngineOptions(), name="tiny").run({INPUT: pixels})[0]
    grey = 0.299 * pixels[..., 0] + 0.587 * pixels[..., 1] + 0.114 * pixels[..., 2]
    assert np.allclose(found[:, 0], (grey - mean) * scale, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "options",
    [{"mean": (1.0, 2.0)}, {"scale": ("a", 1.0, 1.0)}, {"colour": "gray"}, {"colour": "grey", "mean": (1.0, 2.0, 3.0)}],
)
def test_a_contract_that_makes_no_sense_is_refused(options):
    with pytest.raises(UsageError):
        InputContract(**{"colour": "rgb", **options})
