"""The PReLU of the backbones against torch's own: values bit for bit, gradients, gradients of gradients."""

import pytest
import torch
from torch import nn

from visavis.nn.layers.prelu import PReLU

SHAPES = [(4, 3, 5, 5), (2, 6, 1, 7), (5, 4), (2, 3, 2, 2, 2)]


def _pair(channels, dtype=torch.float32):
    ours, theirs = PReLU(channels).to(dtype), nn.PReLU(channels).to(dtype)
    slopes = torch.linspace(-0.5, 1.5, channels, dtype=dtype)
    for one in (ours, theirs):
        with torch.no_grad():
            one.weight.copy_(slopes)
    return ours, theirs


def _run(layer, x, gradient):
    x = x.clone().requires_grad_()
    y = layer(x)
    y.backward(gradient)
    return y.detach(), x.grad, layer.weight.grad


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_the_prelu_of_torch_zeros_included(shape, dtype):
    ours, theirs = _pair(shape[1], dtype)
    x, gradient = torch.randn(shape, dtype=dtype), torch.randn(shape, dtype=dtype)
    x.view(-1)[::3] = 0.0
    mine, peer = _run(ours, x, gradient), _run(theirs, x, gradient)
    assert torch.equal(mine[0], peer[0]) and torch.equal(mine[1], peer[1])
    torch.testing.assert_close(mine[2], peer[2])


def test_channels_last_keeps_its_layout():
    ours, theirs = _pair(3)
    x = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)
    y = ours(x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(y, theirs(x))


def test_gradients_of_first_and_second_order():
    ours, _ = _pair(3, torch.float64)
    x = torch.randn(2, 3, 2, 2, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: ours(v), (x,))
    assert torch.autograd.gradgradcheck(lambda v: ours(v), (x,))


def test_per_sample_gradients_by_vmap():
    ours, theirs = _pair(3)
    x = torch.randn(4, 3, 2, 2)

    def gradient(layer):
        def loss(weight, row):
            return torch.func.functional_call(layer, {"weight": weight}, (row[None],)).square().sum()

        return torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(layer.weight.detach(), x)

    torch.testing.assert_close(gradient(ours), gradient(theirs))


def test_half_precision_input_keeps_its_dtype():
    ours, _ = _pair(3)
    x = torch.randn(2, 3, 2, 2, dtype=torch.bfloat16).requires_grad_()
    y = ours(x)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == torch.bfloat16 and ours.weight.grad.dtype == torch.float32


def test_state_dicts_go_both_ways():
    ours, theirs = _pair(3)
    theirs.load_state_dict(ours.state_dict())
    ours.load_state_dict(theirs.state_dict())
    assert list(ours.state_dict()) == ["weight"]
