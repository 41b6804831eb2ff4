"""Pixels in torch against the same arithmetic in numpy and against the graph of the inference road."""

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

from visavis.cards import InputContract
from visavis.errors import UsageError
from visavis.nn.pixels import normalise
from visavis.runtime.pixels import INPUT, take_pixels
from visavis.runtime.session import EngineOptions, open_session

CONTRACTS = [
    InputContract("rgb"),
    InputContract("bgr", mean=127.5, scale=1 / 127.5),
    InputContract("rgb", mean=(104.0, 117.0, 123.0), scale=(0.5, 0.25, 0.125)),
    InputContract("bgr", mean=(104.0, 117.0, 123.0), scale=(0.5, 0.25, 0.125)),
    InputContract("grey", scale=1 / 255),
    InputContract("grey", mean=100.0, scale=0.25),
]
PIXELS = np.random.default_rng(3).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)


def _by_graph(contract):
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", contract.channels, 4, 5]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "tiny", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    free = InputContract(contract.colour, mean=contract.mean, scale=contract.scale, size=None)
    data = take_pixels(model, free, name="tiny").SerializeToString()
    return open_session(data, EngineOptions(), name="tiny").run({INPUT: PIXELS})[0]


@pytest.mark.parametrize("contract", CONTRACTS)
def test_training_and_inference_feed_a_network_the_same(contract):
    found = normalise(torch.from_numpy(PIXELS), contract)
    assert found.dtype == torch.float32 and found.shape == (2, contract.channels, 4, 5)
    np.testing.assert_allclose(found.numpy(), _by_graph(contract), rtol=1e-5, atol=1e-4)


def test_a_channel_by_hand_and_the_layout():
    pixels = torch.tensor([[[[10, 20, 30]]]], dtype=torch.uint8).expand(1, 2, 2, 3)
    found = normalise(pixels, InputContract("bgr", mean=(1.0, 2.0, 3.0), scale=(1.0, 10.0, 100.0)))
    assert found[0, :, 1, 1].tolist() == [29.0, 180.0, 700.0]
    assert found.is_contiguous(memory_format=torch.channels_last)
    grey = normalise(pixels.double(), InputContract("grey"))
    assert grey.dtype == torch.float64 and grey.flatten()[0].item() == pytest.approx(2.99 + 11.74 + 3.42)


def test_pixels_carry_gradients_and_other_layouts_are_refused():
    pixels = torch.zeros(1, 2, 2, 3, requires_grad=True)
    normalise(pixels, InputContract("rgb", scale=0.5)).sum().backward()
    assert torch.equal(pixels.grad, torch.full((1, 2, 2, 3), 0.5))
    with pytest.raises(UsageError, match=r"RGB \(B, H, W, 3\)"):
        normalise(torch.zeros(1, 3, 8, 8), InputContract("rgb"))
