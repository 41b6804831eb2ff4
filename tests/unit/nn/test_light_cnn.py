"""The numerical oracles of Light CNN that no other test holds."""

import pytest
import torch
from torch.nn import functional as F

from visavis import registry
from visavis.errors import UsageError
from visavis.nn.backbones.light_cnn import summed_pool
from visavis.nn.layers.max_feature_map import max_and_median_map, max_feature_map


def test_of_three_maps_the_largest_and_the_middle_stay():
    x = torch.tensor([[3.0, 1.0, 2.0], [1.0, 2.0, 3.0], [-1.0, -3.0, -2.0]])
    assert max_and_median_map(x).tolist() == [[3.0, 2.0], [3.0, 2.0], [-1.0, -2.0]]
    maps = torch.randn(2, 6, 4, 5, requires_grad=True)
    found = max_and_median_map(maps)
    assert found.shape == (2, 4, 4, 5)
    thirds = maps.detach().view(2, 3, 2, 4, 5)
    assert torch.equal(found[:, :2], thirds.amax(1)) and torch.equal(found[:, 2:], thirds.median(1).values)
    found.sum().backward()
    assert maps.grad.sum(1).unique().tolist() == [4.0]  # two of three maps, for each of two channels


def test_where_two_maps_are_equal_the_gradient_is_halved():
    x = torch.tensor([[2.0, 1.0, 2.0, 3.0]], requires_grad=True)
    max_feature_map(x).sum().backward()
    assert x.grad.tolist() == [[0.5, 0.0, 0.5, 1.0]]


def test_poolings_by_hand():
    assert summed_pool(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).item() == 6.5
    with torch.device("meta"):
        network = registry.create("backbone/light-cnn-4")
    assert [network.taps[f"stage{number}"][1] for number in (1, 2, 3, 4)] == [
        60,
        28,
        12,
        5,
    ]  # the last is 9, rounded up


@pytest.mark.parametrize("name", ["light-cnn-4", "light-cnn-9", "light-cnn-29", "light-cnn-29v2", "light-cnn-v4"])
def test_other_crops_than_those_of_128_pixels_and_their_channels_are_refused(name):
    with torch.device("meta"):
        network = registry.create(f"backbone/{name}")
        channels = 3 if name == "light-cnn-v4" else 1
        assert network(torch.empty(2, channels, 128, 128)).shape == (2, 256)
        for shape in ((2, channels, 144, 144), (2, channels, 128, 112), (2, 4 - channels, 128, 128)):
            with pytest.raises(UsageError, match="takes"):
                network(torch.empty(shape))


def test_dropout_is_on_the_embedding_in_training_and_nowhere_in_the_later_versions():
    for name, share in (("light-cnn-9", 0.5), ("light-cnn-29", 0.5), ("light-cnn-29v2", 0.0)):
        network = registry.create(f"backbone/{name}", size=16)
        assert network.dropout.p == share
    torch.manual_seed(0)
    network = registry.create("backbone/light-cnn-9", size=16).train()
    with torch.no_grad():
        dropped = (network(torch.rand(8, 1, 16, 16)) == 0).double().mean().item()
    assert 0.4 < dropped < 0.6
    assert not any(
        isinstance(part, torch.nn.Dropout) for part in registry.create("backbone/light-cnn-v4", size=16).modules()
    )


def test_the_fourth_version_is_five_convolutions_between_residual_pairs():
    network = registry.create("backbone/light-cnn-v4", size=16).eval()
    assert network.fc.weight.std().item() == pytest.approx(0.001, rel=0.05)
    x = torch.rand(2, 3, 16, 16)

    def maps(convolution, value):
        whole = F.conv2d(value, convolution.filter.weight, convolution.filter.bias, padding=1)
        return torch.maximum(*whole.chunk(2, 1))

    value = maps(network.conv1, x)
    for stage in (1, 2, 3, 4):
        value = F.max_pool2d(value, 2) + F.avg_pool2d(value, 2) if stage < 4 else value
        for pair in getattr(network, f"block{stage}"):
            value = value + maps(pair.conv2, maps(pair.conv1, value))
        value = maps(getattr(network, f"conv{stage + 1}"), value)
    value = F.max_pool2d(value, 2) + F.avg_pool2d(value, 2)
    with torch.no_grad():
        torch.testing.assert_close(network(x), F.linear(value.flatten(1), network.fc.weight, network.fc.bias))
