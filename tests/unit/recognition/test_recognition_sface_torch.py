"""The torch twin says what the ONNX file says, and its gradients are those of finite differences."""

# ruff: noqa: E402

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from visavis.errors import ModelError, UsageError
from visavis.recognition.default_card import SFACE
from visavis.recognition.sface_torch import TAPS, SFaceTorch, TorchSFaceEmbedder, load_onnx
from visavis.runtime import graphs
from visavis.runtime.dequantise import dequantise
from visavis.runtime.pixels import INPUT
from visavis.runtime.session import EngineOptions, Session, open_session
from visavis.runtime.torch_session import TorchSession
from visavis.runtime.weights import prepared_weights, read_weights
from visavis.types.protocols import DifferentiableEmbedder


@pytest.fixture(scope="module")
def embedder():
    return TorchSFaceEmbedder()


@pytest.fixture(scope="module")
def model():
    return dequantise(graphs.parse(read_weights(SFACE)[0], name="sface"))


def _pictures():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    rows, columns = np.mgrid[:112, :112] / 112
    waves = [
        127.5 + 120 * np.sin(2 * np.pi * (rows[..., None] * a + columns[..., None] * b) + np.arange(3))
        for a, b in ((0.5, 1.0), (1.5, 0.2), (2.0, 2.5))
    ]
    flat = np.full((1, 112, 112, 3), 128, np.uint8)
    return np.concatenate([noise, np.stack(waves).astype(np.uint8), flat])


def _planes(pixels):
    return torch.tensor(pixels.transpose(0, 3, 1, 2).copy(), dtype=torch.float32)


def test_agrees_with_onnx_runtime_on_noise_and_on_smooth_pictures(embedder):
    data, _ = prepared_weights(SFACE)
    pixels = _pictures()
    expected = open_session(data, EngineOptions(), name="sface").run({INPUT: pixels})[0]
    found = embedder.embed_tensor(_planes(pixels)).numpy()
    assert found.shape == (len(pixels), 128)
    assert np.abs(found - expected).max() <= 1e-4
    cosine = (found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    assert (1 - cosine).max() <= 1e-6


def test_is_a_differentiable_embedder(embedder):
    assert isinstance(embedder, DifferentiableEmbedder)


def test_the_gradient_is_that_of_finite_differences(embedder):
    twin = copy.deepcopy(embedder.network).double()
    generator = torch.Generator().manual_seed(1)
    start = torch.rand(1, 3, 112, 112, generator=generator, dtype=torch.float64) * 255
    weights = torch.randn(1, 128, generator=generator, dtype=torch.float64)

    def objective(pixels):
        return (twin(pixels) * weights).sum()

    pixels = start.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(objective(pixels), pixels)
    for _ in range(3):
        direction = torch.randn(start.shape, generator=generator, dtype=torch.float64)
        step = 1e-7
        numeric = (objective(start + step * direction) - objective(start - step * direction)) / (2 * step)
        assert torch.isclose(numeric, (gradient * direction).sum(), rtol=1e-4)


def test_gradients_reach_every_channel_of_the_pixels_and_no_weight(embedder):
    pixels = _planes(_pictures()[:2]).requires_grad_()
    embedder.embed_tensor(pixels).norm(dim=1).sum().backward()
    assert torch.isfinite(pixels.grad).all()
    assert (pixels.grad.abs().sum(dim=(2, 3)) > 0).all()
    assert all(weight.grad is None for weight in embedder.network.parameters())


def test_taps_have_their_declared_shapes_and_do_not_change_the_embedding(embedder):
    pixels = _planes(_pictures()[:2])
    plain = embedder.embed_tensor(pixels)
    found = embedder.features(pixels, taps=tuple(TAPS))
    assert {name: tuple(value.shape[1:]) for name, value in found.items()} == TAPS == embedder.taps
    assert torch.equal(found["fc1"], plain)
    assert set(embedder.features(pixels, taps=("conv_14",))) == {"conv_14", "fc1"}


def test_an_unknown_tap_and_another_size_are_refused(embedder):
    with pytest.raises(UsageError, match="conv_14"):
        embedder.features(torch.zeros(1, 3, 112, 112), taps=("stage9",))
    with pytest.raises(UsageError, match="112"):
        embedder.embed_tensor(torch.zeros(1, 3, 96, 112))


def test_threads_agree_with_the_serial_run(embedder):
    parts = [_planes(part[None]) for part in _pictures()]
    serial = [embedder.embed_tensor(part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(embedder.embed_tensor, parts * 2))
    for found, expected in zip(together, serial * 2, strict=True):
        assert torch.allclose(found, expected, atol=1e-5)


def _without(model, position):
    network = graphs.Graph(model)
    node = network.nodes.pop(position)
    network.rename(node.output[0], node.input[0])
    return network.model()


def test_a_file_of_another_structure_is_refused(model):
    with pytest.raises(ModelError, match="operators"):
        load_onnx(SFaceTorch(), _without(model, 4), name="cut")
    network = graphs.Graph(model)
    position = next(row for row, node in enumerate(network.nodes) if node.op_type == "Conv")
    weight = network.nodes[position].input[1]
    network.weights[weight] = network.weights[weight][:, :, :1, :1]
    with pytest.raises(ModelError, match="shape"):
        load_onnx(SFaceTorch(), network.model(), name="small")


def test_a_weight_that_two_operators_share_is_refused(model):
    network = graphs.Graph(model)
    norms = [node for node in network.nodes if node.op_type == "BatchNormalization"]
    norms[0].input[1] = norms[0].input[2]
    with pytest.raises(ModelError, match="shared"):
        load_onnx(SFaceTorch(), network.model(), name="shared")


def test_the_torch_session_is_a_session_and_agrees_with_the_twin(embedder):
    session = TorchSession(embedder.network, name="twin", outputs=("fc1",))
    assert isinstance(session, Session)
    assert (session.engine, session.input_names, session.output_names) == ("torch", (INPUT,), ("fc1",))
    pixels = _pictures()
    found = session.run({INPUT: pixels})[0]
    assert found.dtype == np.float32
    assert np.array_equal(found, embedder.embed_tensor(_planes(pixels)).numpy())


def test_the_torch_session_says_what_it_takes(embedder):
    session = TorchSession(embedder.network, name="twin")
    with pytest.raises(UsageError, match="pixels"):
        session.run({"image": _pictures()})
    with pytest.raises(UsageError, match="uint8"):
        session.run({INPUT: _pictures().astype(np.float32)})
    with pytest.raises(UsageError, match="output"):
        session.run({INPUT: _pictures()}, ["other"])
