"""Max-feature-map and L2 pooling by hand; what the small families do at their edges."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from visavis.errors import UsageError
from visavis.nn.backbones.facenet import InceptionRow, l2_pool
from visavis.nn.backbones.iresnet import iresnet18
from visavis.nn.backbones.light_cnn import LightCNN9Backbone, light_cnn_29v2
from visavis.nn.backbones.mobilefacenet import mobilefacenet, mobilefacenet_tiny
from visavis.nn.backbones.swin import swin_t
from visavis.nn.backbones.vit import ViTBackbone, ViTShape, vit_mini, vit_t
from visavis.nn.layers.max_feature_map import max_feature_map


def test_max_feature_map_by_hand():
    x = torch.tensor([[1.0, -2.0, 3.0, 0.0, 0.5, 5.0, 3.0 - 1e-3, -1.0]], requires_grad=True)
    y = max_feature_map(x)
    assert y.tolist() == [[1.0, 5.0, 3.0, 0.0]]
    y.sum().backward()
    assert x.grad.tolist() == [[1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0]]


def test_max_feature_map_commutes_with_max_pooling_and_repeats_nothing():
    x = torch.randn(2, 6, 8, 8)
    assert torch.equal(max_feature_map(F.max_pool2d(x, 2)), F.max_pool2d(max_feature_map(x), 2))
    assert torch.equal(max_feature_map(torch.cat([x, x], 1)), x)


def test_the_second_light_cnn_pools_by_the_sum_of_maximum_and_mean():
    network = light_cnn_29v2(size=16).eval()
    network.conv1 = nn.Identity()
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).repeat(8, 8)[None, None]
    seen = {}

    def keep(name, value):
        seen.setdefault(name, value)
        raise StopIteration

    with pytest.raises(StopIteration):
        network.embed(x, keep)
    assert torch.equal(seen["stage1"], torch.full((1, 1, 8, 8), 6.5))


def test_l2_pooling_is_the_root_of_the_sum_of_squares_and_has_a_gradient_at_zero():
    x = torch.randn(1, 1, 4, 4, dtype=torch.float64)
    padded = F.pad(x, (1, 1, 1, 1))
    wanted = [[padded[0, 0, i : i + 3, j : j + 3].square().sum().sqrt().item() for j in range(4)] for i in range(4)]
    torch.testing.assert_close(l2_pool(x)[0, 0], torch.tensor(wanted, dtype=torch.float64))
    zero = torch.zeros(1, 1, 4, 4, requires_grad=True)
    l2_pool(zero).sum().backward()
    assert torch.equal(zero.grad, torch.zeros_like(zero))


@pytest.mark.parametrize(
    ("row", "inputs", "outputs"),
    [
        (InceptionRow(64, (96, 128), (16, 32), 32), 192, 256),
        (InceptionRow(0, (128, 256), (32, 64), 0, root=False, stride=2), 320, 640),
        (InceptionRow(384, (192, 384), (48, 128), 128), 1024, 1024),
    ],
)
def test_rows_of_facenet_add_up_as_in_its_table(row, inputs, outputs):
    assert row.outputs(inputs) == outputs


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (iresnet18, {"size": 100}, "size is a multiple of 16"),
        (iresnet18, {"dropout": 1.0}, r"dropout is in \[0, 1\)"),
        (mobilefacenet, {"width": 0.3}, "width is a multiple of 1/8"),
        (mobilefacenet, {"size": 12}, "size is a multiple of 8, at least 16"),
        (LightCNN9Backbone, {"size": 100}, "size is a multiple of 16"),
        (vit_t, {"masked": 1.0}, "drop_path and masked"),
        (vit_t, {"size": 9}, "at least 18"),
        (vit_mini, {"size": 120}, "divides the side; got 120"),
        (partial(ViTBackbone, ViTShape(8, 1, patch=6, stem="convolutions")), {"size": 60}, "a power of two"),
        (swin_t, {"size": 120}, "take 112"),
        (swin_t, {"size": 113}, "size is a multiple of 2"),
    ],
)
def test_options_out_of_range_say_what_is_accepted(make, options, message):
    with torch.device("meta"), pytest.raises(UsageError, match=message):
        make(**options)


def test_the_weight_of_the_last_normalisation_of_iresnet_is_held():
    with torch.device("meta"):
        network = iresnet18()
    assert [key for key, value in network.named_parameters() if not value.requires_grad] == ["neck.weight"]


def test_initial_weights_have_the_spread_of_the_released_code():
    torch.manual_seed(0)
    iresnet, tiny = iresnet18(size=32), mobilefacenet_tiny()
    for part in iresnet.modules():
        if isinstance(part, nn.Conv2d) and part.weight.numel() > 4000:
            assert part.weight.std().item() == pytest.approx(0.1, rel=0.05)
    linear = tiny.get_submodule("head.layers.2")
    assert linear.weight.std().item() == pytest.approx((2 / 128) ** 0.5, rel=0.05)


def test_a_tiny_network_tells_two_patterns_apart():
    """Twenty steps separate two kinds of stripes that no single pixel tells apart."""
    torch.manual_seed(0)
    network = mobilefacenet_tiny(size=16, dimension=2)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    rows = torch.arange(16) % 4 < 2
    flat = torch.stack([rows.float()[:, None].expand(16, 16), rows.float()[None].expand(16, 16)]) * 2 - 1

    def batch():
        labels = torch.randint(0, 2, (32,))
        sign = torch.randint(0, 2, (32, 1, 1)) * 2 - 1
        return ((flat[labels] * sign)[:, None] + 0.3 * torch.randn(32, 1, 16, 16)).expand(-1, 3, -1, -1), labels

    for _ in range(20):
        x, labels = batch()
        optimiser.zero_grad()
        F.cross_entropy(network(x), labels).backward()
        optimiser.step()
    x, labels = batch()
    assert (network.train()(x).argmax(1) == labels).double().mean().item() >= 0.95
