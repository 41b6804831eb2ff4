"""The count of operations against closed forms and against torch's own counter."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from visavis import registry
from visavis.nn.layers.attention import SelfAttention
from visavis.nn.macs import count_macs


@pytest.mark.parametrize(
    ("network", "shape", "macs"),
    [
        (nn.Linear(5, 7), (3, 5), 3 * 5 * 7),
        (nn.Conv2d(4, 6, 3, padding=1), (1, 4, 8, 8), 64 * 9 * 4 * 6),
        (nn.Conv2d(4, 6, (1, 5), stride=2, bias=False), (2, 4, 9, 9), 2 * 5 * 3 * 5 * 4 * 6),
        (nn.Conv2d(6, 6, 3, padding=1, groups=6), (1, 6, 5, 5), 25 * 9 * 6),
        (SelfAttention(8, 2, bias=True), (1, 10, 8), 10 * 8 * 24 + 10 * 8 * 8 + 2 * 2 * 10 * 10 * 4),
        (nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2)), (1, 3, 4, 4), 0),
    ],
)
def test_single_layers_by_closed_form(network, shape, macs):
    assert count_macs(network, torch.zeros(shape)) == macs


@pytest.mark.parametrize("name", ["iresnet18", "mobilefacenet", "light-cnn-9", "facenet-nn4", "vit-t", "swin-t"])
def test_whole_networks_as_torch_counts_them(name):
    with torch.device("meta"):
        network = registry.create(f"backbone/{name}").eval()
        x = torch.empty(2, network.contract.channels, *network.contract.size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(x)
    assert 2 * count_macs(network, x) == counter.get_total_flops()


def test_counting_leaves_the_network_as_it_was():
    network = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)).train()
    count_macs(network, torch.zeros(1, 2))
    assert network.training and network[1].training and not network[0]._forward_hooks
