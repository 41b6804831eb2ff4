"""Whatever is registered as a backbone: shapes, taps, gradients, seeds, batches, keys."""

from functools import cache, partial

import pytest
import torch
from torch import nn

from visavis import registry
from visavis.cards import InputContract
from visavis.errors import UsageError
from visavis.geometry import TEMPLATES
from visavis.nn.backbones.adaface_iresnet import AdaFaceIResNetBackbone
from visavis.nn.backbones.backbone import EMBEDDING, Backbone
from visavis.nn.backbones.facenet import FaceNetBackbone
from visavis.nn.backbones.facenet_nn1 import FaceNetNN1Backbone
from visavis.nn.backbones.inception_resnet import InceptionResNetBackbone
from visavis.nn.backbones.iresnet import IResNetBackbone
from visavis.nn.backbones.light_cnn import LightCNN4Backbone, LightCNN9Backbone, LightCNN29Backbone
from visavis.nn.backbones.light_cnn_v4 import LightCNNV4Backbone
from visavis.nn.backbones.mobilefacenet import MobileFaceNetBackbone
from visavis.nn.backbones.mobilenet import MobileNetBackbone
from visavis.nn.backbones.swin import SwinBackbone, SwinShape
from visavis.nn.backbones.table import SIZES, Size
from visavis.nn.backbones.vit import ViTBackbone, ViTShape
from visavis.nn.macs import count_macs

NAMES = registry.names("backbone/*")
LARGE = 3_000_000
"""Parameters above which a network is built without memory for its shapes and counts; `FAMILIES` run in its place."""

FAMILIES = {
    "iresnet": partial(IResNetBackbone, (1, 2, 1, 1), size=32, dimension=16),
    "adaface-iresnet": partial(AdaFaceIResNetBackbone, (2, 1, 1, 1), size=32, dimension=16),
    "mobilefacenet": partial(MobileFaceNetBackbone, (2, 1, 1, 1), width=0.125, size=32, dimension=16),
    "mobilefacenet-relu": partial(
        MobileFaceNetBackbone, (0, 1, 1, 1), width=0.125, size=32, dimension=16, activation="relu"
    ),
    "mobilenet": partial(MobileNetBackbone, (4,) * 14, size=32, dimension=16),
    "light-cnn-4": partial(LightCNN4Backbone, size=92, dimension=16),
    "light-cnn-9": partial(LightCNN9Backbone, size=16, dimension=16),
    "light-cnn-29": partial(LightCNN29Backbone, False, size=16, dimension=16),
    "light-cnn-29v2": partial(LightCNN29Backbone, True, size=16, dimension=16),
    "light-cnn-v4": partial(LightCNNV4Backbone, size=16, dimension=16),
    "inception-resnet": partial(InceptionResNetBackbone, size=75, dimension=16),
    "facenet": partial(FaceNetBackbone, False, size=32, dimension=16),
    "facenet-narrow": partial(FaceNetBackbone, True, size=32, dimension=16, batch_norm=True),
    "facenet-nn1": partial(FaceNetNN1Backbone, size=32, dimension=16, hidden=8),
    "vit": partial(ViTBackbone, ViTShape(16, 3, heads=2, patch=4), size=16, dimension=16),
    "vit-stem": partial(ViTBackbone, ViTShape(16, 2, heads=2, patch=8, stem="convolutions"), size=32, dimension=16),
    "swin-mean": partial(SwinBackbone, SwinShape(8, (2, 2), (1, 2), 2, 4, False, True, "mean"), size=32, dimension=16),
    "swin-all": partial(SwinBackbone, SwinShape(8, (1, 2), (1, 2), 2, 4, True, False, "all"), size=16, dimension=16),
}
"""A small network of every family."""


@cache
def _meta(name):
    with torch.device("meta"):
        return registry.create(name)


def _count(network):
    return sum(parameter.numel() for parameter in network.parameters())


SMALL = [name for name in NAMES if name in SIZES and SIZES[name].parameters <= LARGE] + list(FAMILIES)


def _made(name, seed=0):
    torch.manual_seed(seed)
    return FAMILIES[name]() if name in FAMILIES else registry.create(name)


def _input(network, batch, device="cpu"):
    generator = torch.Generator().manual_seed(5)
    x = torch.rand(batch, network.contract.channels, *network.contract.size, generator=generator) * 2 - 1
    return x.to(device)


@pytest.mark.parametrize("name", NAMES)
def test_the_contract_is_whole_and_the_taps_are_as_declared(name):
    network = _meta(name).eval()
    assert isinstance(network, Backbone) and isinstance(network.contract, InputContract)
    assert network.contract.template in TEMPLATES and network.contract.size is not None
    assert list(network.taps)[-1] == EMBEDDING and network.taps[EMBEDDING] == (network.dimension,)
    found = network.features(_input(network, 2, "meta"), taps=list(network.taps))
    assert {tap: tuple(value.shape[1:]) for tap, value in found.items()} == dict(network.taps)
    assert all(value.shape[0] == 2 for value in found.values())
    blocks = network.blocks()
    inside = set(network.modules())
    assert blocks and all(isinstance(block, nn.Module) and block in inside for block in blocks)
    assert len(set(blocks)) == len(blocks)


def test_every_family_runs_somewhere():
    assert {type(_meta(name)) for name in NAMES} == {family.func for family in FAMILIES.values()}


def test_the_table_lists_every_backbone():
    assert sorted(SIZES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_table_is_true(name):
    network = _meta(name)
    macs = count_macs(network, _input(network, 1, "meta"))
    assert SIZES[name] == Size(_count(network), len(network.state_dict()), macs)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(("backbone/vit", "backbone/swin"))])
def test_blocks_are_counted_from_the_end_too(name):
    network = _meta(name).eval()
    last = len(network.blocks()) - 1
    found = network.features(_input(network, 1, "meta"), taps=["blocks.-1.attn.logits", "blocks.-2"])
    assert list(found) == ["blocks.-1.attn.logits", "blocks.-2", EMBEDDING]
    assert found["blocks.-1.attn.logits"].shape[1:] == network.taps[f"blocks.{last}.attn.logits"]
    with pytest.raises(UsageError, match=r"no tap blocks\.-99"):
        network.features(_input(network, 1, "meta"), taps=["blocks.-99"])


@pytest.mark.parametrize("name", NAMES)
def test_what_does_not_fit_is_refused(name):
    network = _meta(name)
    with pytest.raises(UsageError, match="no tap nowhere; the taps are"):
        network.features(_input(network, 1, "meta"), taps=["nowhere"])
    x = _input(network, 1, "meta")
    for wrong in (x[0], x[:, :, 1:], x.repeat(1, 2, 1, 1)):
        with pytest.raises(UsageError, match="takes"):
            network(wrong)
    for option in ("no_such_option", "layers", "shape"):
        with pytest.raises(UsageError, match=option):
            registry.create(name, **{option: 1})
    with torch.device("meta"), pytest.raises(UsageError, match="dimension"):
        registry.create(name, dimension=0)


@pytest.mark.parametrize("name", NAMES)
def test_the_dimension_is_an_option(name):
    with torch.device("meta"):
        network = registry.create(name, dimension=24)
    assert network.dimension == network.taps[EMBEDDING][0] == 24
    assert _meta(name).dimension != 24 and _count(network) < _count(_meta(name))


@pytest.mark.parametrize("name", SMALL)
def test_every_parameter_learns(name):
    network = _made(name).train()
    output = network(_input(network, 2))
    output.mul(torch.linspace(0.5, 2, output.numel()).view_as(output)).pow(2).sum().backward()
    for key, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and torch.isfinite(parameter.grad).all() and parameter.grad.any(), key


@pytest.mark.parametrize("name", SMALL)
def test_the_embedding_depends_on_its_row_only_and_on_no_tap(name):
    network = _made(name).eval()
    x = _input(network, 3)
    with torch.no_grad():
        whole = network(x)
        assert whole.shape == (3, network.dimension) and torch.isfinite(whole).all()
        assert torch.equal(network.features(x, taps=list(network.taps))[EMBEDDING], whole)
        for row in range(3):
            torch.testing.assert_close(network(x[row : row + 1])[0], whole[row], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(whole[0], whole[1])


@pytest.mark.parametrize("name", SMALL)
def test_a_seed_makes_the_network_and_a_state_dict_remakes_it(name):
    one, same, other = _made(name), _made(name), _made(name, seed=1)
    state, again, others = one.state_dict(), same.state_dict(), other.state_dict()
    assert all(torch.equal(value, again[key]) for key, value in state.items())
    assert any(not torch.equal(value, others[key]) for key, value in state.items())
    other.load_state_dict(state)
    x = _input(one, 2)
    with torch.no_grad():
        assert torch.equal(other.eval()(x), one.eval()(x))
