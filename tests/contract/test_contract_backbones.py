"""Whatever is registered as a backbone: shapes, taps, gradients, seeds, batches, keys."""

import pytest
import torch
from torch import nn

from visavis import registry
from visavis.cards import InputContract
from visavis.errors import UsageError
from visavis.geometry import TEMPLATES
from visavis.nn.backbones.backbone import EMBEDDING, Backbone

NAMES = registry.names("backbone/*")
LARGE = 5_000_000
"""Parameters above which a network is built without memory; its shapes and counts are all that is tested."""


def _meta(name):
    with torch.device("meta"):
        return registry.create(name)


def _count(network):
    return sum(parameter.numel() for parameter in network.parameters())


META = {name: _meta(name) for name in NAMES}
SMALL = [name for name in NAMES if _count(META[name]) <= LARGE]


def _made(name, seed=0):
    torch.manual_seed(seed)
    return registry.create(name)


def _input(network, batch, device="cpu"):
    generator = torch.Generator().manual_seed(5)
    x = torch.rand(batch, network.contract.channels, *network.contract.size, generator=generator) * 2 - 1
    return x.to(device)


@pytest.mark.parametrize("name", NAMES)
def test_the_contract_is_whole_and_the_taps_are_as_declared(name):
    network = META[name].eval()
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


@pytest.mark.parametrize("name", NAMES)
def test_what_does_not_fit_is_refused(name):
    network = META[name]
    with pytest.raises(UsageError, match="no tap nowhere; the taps are"):
        network.features(_input(network, 1, "meta"), taps=["nowhere"])
    x = _input(network, 1, "meta")
    for wrong in (x[0], x[:, :, 1:], x.repeat(1, 2, 1, 1)):
        with pytest.raises(UsageError, match="takes"):
            network(wrong)
    with pytest.raises(UsageError):
        registry.create(name, no_such_option=1)
    with torch.device("meta"), pytest.raises(UsageError, match="dimension"):
        registry.create(name, dimension=0)


@pytest.mark.parametrize("name", NAMES)
def test_the_dimension_is_an_option(name):
    with torch.device("meta"):
        network = registry.create(name, dimension=24)
    assert network.eval()(_input(network, 3, "meta")).shape == (3, 24) and network.dimension == 24


@pytest.mark.parametrize("name", SMALL)
def test_every_parameter_learns(name):
    network = _made(name).train()
    output = network(_input(network, 2))
    output.mul(torch.linspace(0.5, 2, output.numel()).view_as(output)).pow(2).sum().backward()
    idle = [
        key
        for key, parameter in network.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not torch.isfinite(parameter.grad).all())
    ]
    assert not idle


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
    state = one.state_dict()
    assert all(torch.equal(value, same.state_dict()[key]) for key, value in state.items())
    assert any(not torch.equal(value, other.state_dict()[key]) for key, value in state.items())
    other.load_state_dict(state)
    x = _input(one, 2)
    with torch.no_grad():
        assert torch.equal(other.eval()(x), one.eval()(x))
