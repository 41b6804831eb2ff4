"""Adapters against what they are by definition: products of thin matrices, mixed by one number a picture."""

import json
import threading

import numpy as np
import pytest
import torch
from safetensors import torch as safetensors
from torch import nn

from visavis.errors import ModelError, UsageError
from visavis.nn.adapters.adapted import AdaptedBackbone, adapt
from visavis.nn.adapters.adapter_file import frozen_sha256, load_adapters, save_adapters
from visavis.nn.adapters.low_rank import DualLowRankLinear, LowRankLinear
from visavis.nn.adapters.mixing import mixed_by
from visavis.nn.adapters.quality_weight import FixedWeight, QualityWeight, pictures_of, quality_weight
from visavis.nn.adapters.wrap_linear import adapted_layers, wrap_linear
from visavis.nn.backbones.contracts import adaface_contract, arcface_contract, light_cnn_contract
from visavis.nn.backbones.mobilefacenet import MobileFaceNetBackbone
from visavis.nn.backbones.swin import SwinBackbone, SwinShape, swin_b
from visavis.nn.backbones.vit import ViTBackbone, ViTShape
from visavis.nn.pixels import normalise

SHAPE = SwinShape(8, (1, 2), (1, 2), patch=2, window=4, positions=True, masked=False, head="all")


def swin():
    torch.manual_seed(0)
    network = SwinBackbone(SHAPE, size=32, dimension=12, dropout=0.25, drop_path=0.1)
    return settled(network)


def vit():
    torch.manual_seed(0)
    return settled(ViTBackbone(ViTShape(16, 3, heads=2, patch=4), size=16, dimension=12))


def settled(network):
    for part in network.modules():
        if isinstance(part, nn.BatchNorm1d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
    return network.eval()


def filled(network, seed=1):
    """Adapters that do something."""
    torch.manual_seed(seed)
    for layer in adapted_layers(network).values():
        for name, weight in layer.named_parameters():
            if "trainable_lora" in name:
                nn.init.normal_(weight, std=0.3)
    return network


def pictures(count=4, size=32, seed=2):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def layer(kind=DualLowRankLinear, seed=0):
    torch.manual_seed(seed)
    made = kind(nn.Linear(10, 6), 3, scale=0.7, dropout=0.4).eval()
    for name, weight in made.named_parameters():
        if "trainable_lora" in name:
            nn.init.normal_(weight)
    return made


def by_hand(one, x, alpha):
    """The equation of the paper, picture by picture and row by row."""
    rows = []
    windows = len(x) // len(alpha)
    for number, row in enumerate(x):
        a = alpha[number // windows]
        first = one.trainable_lora_up.weight @ (one.trainable_lora_down.weight @ ((1 - a) * row).T)
        second = one.trainable_lora_up2.weight @ (one.trainable_lora_down2.weight @ (a * row).T)
        rows.append((one.weight @ row.T).T + one.bias + 0.7 * first.T + 0.7 * second.T)
    return torch.stack(rows)


@pytest.mark.parametrize(
    ("scores", "options", "expected"),
    [
        ([0.3, 0.5, 0.9], {"threshold": 0.4}, [0.4, 0.6, 1.0]),
        ([0.3, 0.5, 0.9], {}, [0.3, 0.5, 0.9]),
        ([2.0], {"clamp": False}, [2.0]),
        ([2.0], {}, [1.0]),
        ([0.3, 0.9], {"threshold": 0.4, "lower_better": True}, [0.6, 0.0]),
    ],
)
def test_alpha_is_half_and_what_the_score_is_above_the_threshold(scores, options, expected):
    assert quality_weight(torch.tensor(scores), **options).tolist() == pytest.approx(expected, abs=1e-6)


def test_scores_that_were_not_measured_do_not_mix():
    with pytest.raises(UsageError, match="1 of 2 pictures is NaN"):
        quality_weight(torch.tensor([0.5, np.nan]))
    with pytest.raises(UsageError, match="pictures 1 of a batch"), mixed_by(torch.tensor([0.5, np.inf])):
        pass


@pytest.mark.parametrize("windows", [1, 4])
def test_two_adapters_are_the_equation_of_the_paper(windows):
    one, x, alpha = layer(), torch.randn(3 * windows, 5, 10), torch.tensor([0.0, 0.3, 1.7])
    with torch.no_grad(), mixed_by(alpha[:, None]):
        assert torch.allclose(one(x), by_hand(one, x, alpha), atol=1e-5)


def test_at_the_ends_two_adapters_are_one():
    one, x = layer(), torch.randn(4, 10)
    single = layer(LowRankLinear)
    single.load_state_dict({key: value for key, value in one.state_dict().items() if not key.endswith("2.weight")})
    with torch.no_grad():
        with mixed_by(torch.zeros(4)):
            assert torch.allclose(one(x), single(x), atol=1e-6)
        one.trainable_lora_down.weight.copy_(one.trainable_lora_down2.weight)
        one.trainable_lora_up.weight.copy_(one.trainable_lora_up2.weight)
        single.load_state_dict({key: value for key, value in one.state_dict().items() if not key.endswith("2.weight")})
        for alpha in (0.5, 1.0):
            with mixed_by(torch.full((4,), alpha)):
                assert torch.allclose(one(x), single(x), atol=1e-6)


def test_a_layer_is_linear_in_alpha():
    one, x = layer(), torch.randn(4, 10)
    found = []
    with torch.no_grad():
        for alpha in (0.0, 0.5, 1.0):
            with mixed_by(torch.full((4,), alpha)):
                found.append(one(x))
    assert torch.allclose(found[1], (found[0] + found[2]) / 2, atol=1e-6)


@pytest.mark.parametrize("make", [swin, vit])
@pytest.mark.parametrize("dual", [False, True])
def test_new_adapters_change_nothing(make, dual):
    network, x = make(), pictures(size=32 if make is swin else 16)
    with torch.no_grad():
        before = network(x)
        adapted = adapt(network, dual=dual, rank=2).eval()
        assert torch.equal(adapted(x), before)
    wild = adapt(make(), dual=dual, rank=2, begin="official").eval()
    with torch.no_grad():
        assert not torch.equal(wild(x), before)


@pytest.mark.parametrize("make", [swin, vit])
def test_each_picture_has_its_own_alpha_in_every_window(make):
    adapted, x = filled(adapt(make(), rank=2)).eval(), pictures(2, 32 if make is swin else 16)
    with torch.no_grad():
        with mixed_by(torch.tensor([0.0, 1.0])):
            both = adapted(x)
        for row, alpha in enumerate((0.0, 1.0)):
            with mixed_by(torch.tensor([alpha])):
                assert torch.allclose(adapted(x[row : row + 1])[0], both[row], atol=1e-5)
            with mixed_by(torch.tensor([1 - alpha])):
                assert not torch.allclose(adapted(x[row : row + 1])[0], both[row], atol=1e-3)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.4])
def test_merged_for_one_alpha_it_computes_the_same(alpha):
    adapted, x = filled(adapt(swin(), rank=2)).eval(), pictures()
    adapted.weight = FixedWeight(alpha)
    plain = adapted.merged(alpha)
    assert not adapted_layers(plain) and list(plain.state_dict()) == list(swin().state_dict())
    with torch.no_grad():
        assert torch.allclose(plain(x), adapted(x), atol=1e-4)
        assert adapted_layers(adapted)


def test_what_cannot_be_merged_is_refused():
    with pytest.raises(UsageError, match="not for one a picture; got a Tensor"):
        layer().merged(torch.tensor([0.1, 0.9]))
    with pytest.raises(UsageError, match="got none"):
        layer().merged()
    with pytest.raises(UsageError, match="leave alpha out"):
        layer(LowRankLinear).merged(0.5)


def test_adapters_have_as_many_weights_as_the_closed_form_says():
    with torch.device("meta"):
        network = swin_b()
        assert sum(weight.numel() for weight in network.parameters()) == 213_666_768
        adapted = adapt(network, rank=8)
    sizes = [384] * 2 + [768] * 18 + [1536] * 2
    qkv = sum(2 * 8 * (width + 3 * width) for width in sizes)
    assert qkv == 1_130_496
    assert adapted.counts() == (qkv + 8 * (38_400 + 512), 213_666_768) == (1_441_792, 213_666_768)


@pytest.mark.parametrize("make", [swin, vit])
def test_training_moves_adapters_and_nothing_else(make):
    adapted, x = adapt(make(), rank=2), pictures(size=32 if make is swin else 16)
    adapted.weight = FixedWeight(0.4)
    before, zero = frozen_sha256(adapted.network), adapted.eval()(x).detach()
    adapted.train()
    optimiser = torch.optim.SGD([one for one in adapted.parameters() if one.requires_grad], lr=0.5)
    for _ in range(2):
        optimiser.zero_grad()
        adapted(x).square().mean().backward()
        optimiser.step()
    assert frozen_sha256(adapted.network) == before
    assert not torch.allclose(adapted.eval()(x), zero)
    touched = {name.rpartition("trainable_")[2] for name, one in adapted.named_parameters() if one.requires_grad}
    assert touched == {f"lora_{part}{end}.weight" for part in ("up", "down") for end in ("", "2")}


def test_as_official_the_batch_statistics_run_on():
    adapted = adapt(swin(), rank=2, rests=False).train()
    before = frozen_sha256(adapted.network)
    adapted(pictures())
    assert frozen_sha256(adapted.network) != before
    resting = adapt(swin(), rank=2).train()
    assert not resting.network.feature_layer[0].training and not resting.network.layers[0].blocks[0].training
    assert all(one.drop.training for one in adapted_layers(resting).values())


def test_two_threads_mix_one_network_differently():
    adapted, x = filled(adapt(vit(), rank=2)).eval(), pictures(2, 16)
    alphas = [torch.full((2,), value) for value in np.linspace(0, 1, 8)]
    with torch.no_grad():
        wanted = []
        for alpha in alphas:
            with mixed_by(alpha):
                wanted.append(adapted(x))
    wrong, barrier = [], threading.Barrier(8)

    def run(number):
        barrier.wait()
        with torch.no_grad():
            for _ in range(20):
                with mixed_by(alphas[number]):
                    if not torch.equal(adapted(x), wanted[number]):
                        wrong.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_two_adapters_without_alpha_say_what_is_missing():
    with pytest.raises(UsageError, match="mixed_by"):
        layer()(torch.randn(2, 10))
    with pytest.raises(UsageError, match=r"3 values for 4 rows"), mixed_by(torch.ones(3)):
        layer()(torch.randn(4, 10))
    with pytest.raises(UsageError, match=r"got \(2, 2\)"), mixed_by(torch.ones(2, 2)):
        pass


def test_alpha_follows_each_picture_and_carries_no_gradient():
    adapted, x = filled(adapt(vit(), rank=2)).eval(), pictures(3, 16).requires_grad_(True)
    adapted.weight = QualityWeight(lambda shown: shown.mean((1, 2, 3)), adapted.contract, threshold=0.4)
    expected = 0.1 + ((x.detach() + 1) / 2).mean((1, 2, 3))
    assert torch.allclose(adapted.weight(x), expected.clamp(0, 1), atol=1e-6)
    assert not adapted.weight(x).requires_grad
    with mixed_by(expected.clamp(0, 1)):
        given = adapted(x)
    assert torch.allclose(adapted(x), given, atol=1e-6)
    seen = QualityWeight(lambda shown: shown.mean((1, 2, 3)), adapted.contract, normalised=True, clamp=False)
    assert torch.allclose(seen(x), x.detach().mean((1, 2, 3)), atol=1e-6)
    with pytest.raises(UsageError, match=r"one value a picture, \(3,\)"):
        QualityWeight(lambda shown: shown.mean((2, 3)), adapted.contract)(x)


@pytest.mark.parametrize("contract", [arcface_contract(), adaface_contract(), light_cnn_contract(112)])
def test_pictures_come_back_from_the_input(contract):
    pixels = torch.randint(0, 256, (2, 112, 112, 3), dtype=torch.uint8)
    shown = pictures_of(normalise(pixels, contract), contract)
    wanted = pixels.permute(0, 3, 1, 2).float() / 255
    if contract.colour == "grey":
        grey = torch.einsum("bchw,c->bhw", wanted, torch.tensor([0.299, 0.587, 0.114]))
        wanted = grey[:, None].expand(-1, 3, -1, -1)
    assert torch.allclose(shown, wanted, atol=1e-3)


def test_layers_are_chosen_by_name():
    network = vit()
    assert wrap_linear(network, ("fc1", "features"), 2, dual=False) == [
        *(f"body.{block}.mlp.fc1" for block in range(3)),
        "feature.0",
        "feature.2",
    ]
    with pytest.raises(UsageError, match="has adapters already"):
        wrap_linear(network, ("qkv",), 2)
    with pytest.raises(UsageError, match="called q for adapters; it has qkv, proj, fc1, fc2, features"):
        wrap_linear(vit(), ("q",), 2)
    with pytest.raises(UsageError, match="no linear layers called qkv"):
        wrap_linear(MobileFaceNetBackbone((1, 1, 1, 1), size=32, dimension=16), rank=2)
    with pytest.raises(UsageError, match=r"rank of an adapter lies in 1\.\.16"):
        wrap_linear(vit(), ("qkv",), 17)
    with pytest.raises(UsageError, match="no adapters"):
        AdaptedBackbone(vit())


def test_adapters_travel_in_a_file_of_their_own(tmp_path):
    adapted, x = filled(adapt(swin(), rank=3, scale=0.5)).eval(), pictures()
    path = tmp_path / "night.safetensors"
    save_adapters(adapted, path)
    again = load_adapters(swin(), path, weight=FixedWeight(0.5)).eval()
    with torch.no_grad():
        assert torch.equal(again(x), adapted(x))
    assert path.stat().st_size < 4 * adapted.counts()[0] + 8_000
    other = swin()
    other.norm.weight.data += 1e-3
    with pytest.raises(ModelError, match="trained on other weights"):
        load_adapters(other, path)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(ModelError, match="no file of adapters"):
        load_adapters(swin(), path)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_alpha_of_another_number_of_pictures_is_refused(count):
    adapted = adapt(vit(), rank=2).eval()
    with mixed_by(torch.full((count,), 0.5)), pytest.raises(UsageError, match=f"{count} values for 4 pictures"):
        adapted(pictures(4, 16))
    with mixed_by(torch.full((4,), 0.5)):
        assert len(adapted(pictures(4, 16))) == 4


def test_two_adapters_with_one_alpha_are_exported_as_a_plain_network():
    adapted = filled(adapt(vit(), rank=2, weight=FixedWeight(0.3))).eval()
    plain = adapted.for_export()
    assert not adapted_layers(plain)
    with torch.no_grad():
        torch.testing.assert_close(plain(pictures(4, 16)), adapted(pictures(4, 16)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "damage",
    [
        lambda state, key: state.update({"norm.weight": torch.full((16,), 9.0)}),
        lambda state, key: state.update({key: state[key][:1].clone()}),
        lambda state, key: state.update({key: state[key] * float("nan")}),
        lambda state, key: state.update({key: torch.tensor(1.0)}),
        lambda state, key: state.update({key.replace("up", "down2"): torch.zeros(3, 16)}),
        lambda state, key: state.update({key.replace("up", "down"): torch.zeros(99, 16)}),
        lambda state, key: state.clear(),
    ],
)
def test_a_damaged_file_of_adapters_changes_nothing(tmp_path, damage):
    save_adapters(filled(adapt(vit(), rank=2)), tmp_path / "a.safetensors")
    data = (tmp_path / "a.safetensors").read_bytes()
    about = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    state = safetensors.load(data)
    damage(state, next(key for key in state if key.endswith("qkv.trainable_lora_up.weight")))
    (tmp_path / "b.safetensors").write_bytes(safetensors.save(state, about))
    network = vit()
    before = frozen_sha256(network)
    with pytest.raises(ModelError, match=r"b\.safetensors") as found:
        load_adapters(network, tmp_path / "b.safetensors")
    assert found.value.reason in ("model.damaged", "model.refused")
    assert not adapted_layers(network) and frozen_sha256(network) == before


def test_a_scale_that_is_not_finite_is_damage(tmp_path):
    adapted = adapt(vit(), rank=2, scale=float("inf"))
    save_adapters(adapted, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="scale is finite"):
        load_adapters(vit(), tmp_path / "a.safetensors")
