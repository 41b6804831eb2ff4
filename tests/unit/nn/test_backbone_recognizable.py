"""Recognizability over other networks: the same network underneath, and statistics counted by hand."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from visavis import registry
from visavis.errors import ModelError, UsageError
from visavis.nn.backbones.recognizable import RecognizableBackbone, map_of
from visavis.nn.checkpoints.recognizable import load_recognizable, save_recognizable
from visavis.nn.layers.perceptibility import PerceptibilityAttention, PerceptibilityRegressor

TINY = "backbone/mobilefacenet-tiny"
SMALL = {"size": 32, "dimension": 16}


def inner(name=TINY, seed=0, **options):
    torch.manual_seed(seed)
    backbone = registry.create(name, **(options or SMALL)).eval()
    for part in backbone.modules():
        if isinstance(part, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(part.running_var, 0.5, 1.5)
    return backbone


def crops(backbone, count=4, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, backbone.contract.channels, *backbone.contract.size, generator=generator)


@pytest.fixture
def network():
    return RecognizableBackbone(inner(), dropout=0.4).eval()


def test_the_attention_is_that_of_the_equations():
    torch.manual_seed(0)
    attention = PerceptibilityAttention(6, reduction=2)
    for weight in attention.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    x = torch.randn(2, 6, 5, 5)
    first, last = attention.mlp[0].weight[:, :, 0, 0], attention.mlp[2].weight[:, :, 0, 0]

    def mlp(values):
        return (values @ first.T).clamp_min(0) @ last.T

    channels = torch.sigmoid(mlp(x.mean((2, 3))) + mlp(x.amax((2, 3))))
    seen = channels[:, :, None, None] * x
    places = torch.sigmoid(F.conv2d(torch.stack([seen.mean(1), seen.amax(1)], 1), attention.place.weight, padding=3))
    found, weights = attention(x)
    torch.testing.assert_close(weights, places)
    torch.testing.assert_close(found, places * seen)


@pytest.mark.parametrize("name", [TINY, "backbone/vit-mini"])
def test_the_network_underneath_is_untouched_and_training_begins_at_it(name):
    backbone = inner(name, **(SMALL if name == TINY else {"dimension": 16}))
    x = crops(backbone, 3)
    with torch.no_grad():
        alone = backbone(x)
    network = RecognizableBackbone(backbone)
    assert network.begin_at_base(x)
    network.eval()
    taps = ("base", "places", "index", "recognizability", network.map_tap)
    with torch.no_grad():
        found = network.features(x, taps=taps)
        assert torch.equal(found["base"], alone) and torch.equal(network(x), found["embedding"])
    assert {tap: tuple(found[tap].shape[1:]) for tap in taps} == {tap: network.taps[tap] for tap in taps}
    assert F.cosine_similarity(found["embedding"], alone).min() > 0.999
    assert (found["places"] == 0.5).all() and network.attention(x).shape == found["places"].shape
    torch.testing.assert_close(network.ri(x), found["index"])


def test_a_tail_that_is_not_affine_is_left_alone():
    """The larger of two halves, as in Light CNN."""
    network = RecognizableBackbone(inner("backbone/light-cnn-9", dimension=16)).eval()
    before = network.attn.fc.weight.clone()
    assert not network.begin_at_base(crops(network, 8)) and torch.equal(network.attn.fc.weight, before)


def test_fusion_adds_the_unit_vectors():
    one = RecognizableBackbone(inner(), fusion=True).eval()
    x = crops(one)
    with torch.no_grad():
        found = one.features(x, taps=("base",))
        attended, _ = one.attn(one.as_map(one.backbone.features(x, taps=(one.map_tap,))[one.map_tap]))
    torch.testing.assert_close(found["embedding"], F.normalize(found["base"]) + F.normalize(attended))


def test_statistics_are_those_counted_by_hand_and_the_mode_stays(network):
    network.train()
    network.backbone.eval()
    bad, good = crops(network, 70, seed=2), crops(network, 30, seed=3)
    network.see(bad, good)
    assert network.training and not network.backbone.training
    network.eval()
    with torch.no_grad():
        found, index = network.features(bad, taps=("base", "index")), network.ri(good)
    centre = F.normalize(found["base"]).mean(0)
    torch.testing.assert_close(network.ui.center, centre / centre.norm())
    torch.testing.assert_close(network.ui.ri_mean, found["index"].mean())
    torch.testing.assert_close(network.ui.ri_std, found["index"].std(correction=0))
    best = np.quantile(index.numpy(), 0.95)
    assert network.ui.ri_best.item() == pytest.approx(float(best), rel=1e-5)
    scaled = network.scaled(torch.tensor([network.ui.ri_mean, network.ui.ri_best]))
    if network.ui.ri_best > network.ui.ri_mean:
        torch.testing.assert_close(scaled, torch.tensor([0.0, 1.0]))
    with pytest.raises(UsageError, match="one of each"):
        network.see(bad[:0], good)


def test_only_the_regressor_learns_of_what_it_is_shown_alone(network):
    network.train()
    network.index_alone(crops(network)).sum().backward()
    taught = {name for name, weight in network.named_parameters() if weight.grad is not None}
    assert taught == {"regressor.fc.weight", "regressor.fc.bias"} and network.backbone.training


def test_a_tap_without_a_map_is_refused():
    backbone = inner("backbone/vit-mini", dimension=16)
    assert map_of(backbone) == ("tokens", (144, 7, 7)) and map_of(backbone, "blocks.-1")[0] == "blocks.5"
    for tap in ("blocks.-1.attn.logits", "embedding", "stage9"):
        with pytest.raises(UsageError):
            RecognizableBackbone(backbone, tap=tap)
    with pytest.raises(UsageError):
        PerceptibilityAttention(4, reduction=0)
    with pytest.raises(UsageError):
        PerceptibilityRegressor(4, dropout=1.0)


def test_a_file_gives_the_same_network_again(network, tmp_path):
    torch.manual_seed(5)
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            torch.nn.init.uniform_(tensor, 0.1, 0.6)
    head, path = torch.randn(7, 16), tmp_path / "file.safetensors"
    save_recognizable(network, path, head=head)
    found = load_recognizable(path, inner(seed=9))
    x = crops(network)
    with torch.no_grad():
        for name, value in network.features(x, taps=("base", "index", "recognizability")).items():
            assert torch.equal(found.network.features(x, taps=("base", "index", "recognizability"))[name], value)
    assert torch.equal(found.head, head)


def test_a_seeded_file_of_the_form_of_the_sheet_is_read(tmp_path):
    """Written key by key, without what is of this library."""
    from safetensors.torch import save_file

    backbone = inner()
    generator = torch.Generator().manual_seed(4)
    state = {f"backbone.{key.replace('head.', 'features.', 1)}": value for key, value in backbone.state_dict().items()}
    shapes = {
        "attn.attention.mlp.0.weight": (4, 32, 1, 1),
        "attn.attention.mlp.2.weight": (32, 4, 1, 1),
        "attn.attention.place.weight": (1, 2, 7, 7),
        "attn.fc.weight": (16, 32 * 2 * 2),
        "attn.fc.bias": (16,),
        "regressor.fc.weight": (1, 32),
        "regressor.fc.bias": (1,),
        "head.weight": (5, 16),
        "ui.center": (16,),
    }
    state |= {key: torch.randn(*shape, generator=generator) for key, shape in shapes.items()}
    state |= {"ui.ri_mean": torch.tensor(0.5), "ui.ri_std": torch.tensor(0.25)}
    path = tmp_path / "sheet.safetensors"
    save_file(state, path)
    found = load_recognizable(path, TINY, options=SMALL)
    assert found.head.shape == (5, 16) and found.network.ui.ri_best.item() == pytest.approx(2.0)
    x = crops(backbone)
    with torch.no_grad():
        assert torch.equal(found.network.features(x, taps=("base",))["base"], backbone(x))
    del state["regressor.fc.weight"]
    save_file(state, path)
    with pytest.raises(ModelError, match="regressor"):
        load_recognizable(path, TINY, options=SMALL)
