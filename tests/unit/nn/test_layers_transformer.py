"""Attention, windows, masks and stochastic depth against loops and torch's own."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from visavis.nn.backbones.vit import ViTBackbone, ViTShape
from visavis.nn.layers.attention import SelfAttention
from visavis.nn.layers.drop_path import DropPath, increasing
from visavis.nn.layers.windows import WindowAttention, join_windows, shift_mask, split_windows


@pytest.mark.parametrize("bias", [False, True])
def test_attention_is_that_of_torch(bias):
    torch.manual_seed(0)
    ours = SelfAttention(8, 2, bias=bias).double()
    theirs = nn.MultiheadAttention(8, 2, bias=True, batch_first=True).double()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.qkv.weight)
        theirs.in_proj_bias.copy_(ours.qkv.bias if bias else torch.zeros(24))
        theirs.out_proj.weight.copy_(ours.proj.weight)
        theirs.out_proj.bias.copy_(ours.proj.bias)
    x = torch.randn(3, 5, 8, dtype=torch.float64)
    result, logits, weights = ours(x)
    wanted, peer = theirs(x, x, x, average_attn_weights=False)
    torch.testing.assert_close(result, wanted)
    torch.testing.assert_close(weights, peer)
    torch.testing.assert_close(logits.softmax(-1), weights)


def test_attention_stays_in_full_precision_under_autocast():
    torch.manual_seed(0)
    layer = SelfAttention(8, 2, bias=True)
    x = torch.randn(2, 5, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result, logits, weights = layer(x)
    assert (result.dtype, logits.dtype, weights.dtype) == (torch.bfloat16, torch.float32, torch.float32)


def test_windows_are_cut_row_by_row_and_put_back():
    x = torch.arange(2 * 6 * 6 * 2.0).view(2, 6, 6, 2)
    cut = split_windows(x, 3)
    assert cut.shape == (8, 9, 2)
    for picture in range(2):
        for row in range(2):
            for column in range(2):
                part = x[picture, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3].reshape(9, 2)
                assert torch.equal(cut[picture * 4 + row * 2 + column], part)
    assert torch.equal(join_windows(cut, 6, 3), x)


@pytest.mark.parametrize(("side", "window", "shift"), [(4, 2, 1), (6, 3, 1), (8, 4, 2), (14, 7, 3)])
def test_the_mask_keeps_apart_what_lay_apart_before_the_shift(side, window, shift):
    """By where each token of a rolled map came from: two see each other when they lie in one unrolled neighbourhood."""
    rows = torch.arange(side).view(-1, 1).expand(side, side)
    places = torch.stack([rows, rows.T], -1)
    rolled = torch.roll(places, (-shift, -shift), (0, 1))
    cells = split_windows(rolled[None], window)
    mask = shift_mask(side, window, shift)
    assert mask.shape == (len(cells), window**2, window**2)
    for cell, found in zip(cells, mask, strict=True):
        gap = (cell[:, None] - cell[None]).abs().amax(-1)
        assert torch.equal(found == 0, gap < window) and set(found.unique().tolist()) <= {0.0, -100.0}


def test_the_bias_of_a_window_depends_on_the_offset_only():
    layer = WindowAttention(4, 2, window=3)
    with torch.no_grad():
        layer.relative_position_bias_table.copy_(torch.arange(50.0).view(25, 2))
    bias = layer.position()
    seen = {}
    for one in range(9):
        for other in range(9):
            offset = (one // 3 - other // 3, one % 3 - other % 3)
            assert seen.setdefault(offset, bias[0, one, other].item()) == bias[0, one, other].item()
            assert bias[0, one, other].item() == 2 * ((offset[0] + 2) * 5 + offset[1] + 2)
    assert len(set(seen.values())) == 25


def test_stochastic_depth_drops_whole_samples_and_keeps_the_mean():
    torch.manual_seed(0)
    layer = DropPath(0.25)
    x = torch.ones(40_000, 2)
    y = layer(x)
    dropped = (y == 0).all(1)
    assert torch.equal(dropped, (y == 0).any(1)) and torch.allclose(y[~dropped], torch.tensor(4 / 3))
    assert dropped.double().mean().item() == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / 40_000))
    assert layer.eval()(x) is x
    assert increasing(0.3, 4) == pytest.approx([0.0, 0.1, 0.2, 0.3]) and increasing(0.3, 1) == [0.0]


def _vit(**options):
    torch.manual_seed(0)
    return ViTBackbone(ViTShape(16, 2, heads=2, patch=4), size=16, dimension=8, drop_path=0.0, **options)


def test_tokens_left_out_come_back_blank_and_the_others_in_their_places():
    network = _vit(masked=0.5).train()
    x = torch.randn(3, 3, 16, 16)
    found = network.features(x, taps=["tokens"])["tokens"]
    blank = (found == network.mask_token).all(-1)
    assert blank.sum(1).tolist() == [8, 8, 8] and not torch.equal(blank[0], blank[1])
    whole = network.patch_embed(x) + network.pos_embed
    for row in range(3):
        value = whole[row : row + 1, ~blank[row]]
        for block in network.body:
            value = block(value, lambda name, value: None, "")
        torch.testing.assert_close(found[row : row + 1, ~blank[row]], network.norm(value), rtol=1e-4, atol=1e-5)


def test_nothing_is_left_out_in_evaluation_or_when_not_asked_for():
    x = torch.randn(2, 3, 16, 16)
    network = _vit(masked=0.5)
    plain = _vit(masked=0.0)
    assert torch.equal(network.eval()(x), plain.eval()(x))
    assert not (plain.train().features(x, taps=["tokens"])["tokens"] == plain.mask_token).all(-1).any()


def test_logits_are_the_scaled_products_before_the_softmax():
    network = _vit().eval()
    x = torch.randn(2, 3, 16, 16)
    found = network.features(x, taps=["blocks.0.attn.logits", "blocks.0.attn.weights", "blocks.0"])
    first = network.body[0]
    tokens = first.norm1(network.patch_embed(x) + network.pos_embed)
    query, key, _ = F.linear(tokens, first.attn.qkv.weight).view(2, 16, 3, 2, 8).unbind(2)
    wanted = torch.einsum("bihd,bjhd->bhij", query, key) / math.sqrt(8)
    torch.testing.assert_close(found["blocks.0.attn.logits"], wanted)
    torch.testing.assert_close(found["blocks.0.attn.weights"], wanted.softmax(-1))
