"""A cut network against its teacher: what is kept whole is the teacher, the rest is least squares."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from visavis.data.pack import Pack
from visavis.errors import UsageError
from visavis.nn.backbones.mobilenet import MobileNetBackbone
from visavis.nn.pixels import network_input
from visavis.recognition import sface_torch
from visavis.recognition.sface_torch import SFaceTorch
from visavis.training.recipes.slimming import best_channels, least_squares, slim
from visavis.training.recipes.start import Start, begin_slim

WIDTHS = (4, 4, 6, 6, 6, 6, 8, 8, 8, 8, 8, 8, 10, 12)


@pytest.fixture
def teacher(monkeypatch):
    """SFace's network, small, with statistics of the crops as a trained one has."""
    monkeypatch.setattr(sface_torch, "_WIDTHS", WIDTHS)
    monkeypatch.setattr(sface_torch, "TAPS", sface_torch._declare())
    torch.manual_seed(0)
    network = SFaceTorch()
    for part in network.modules():
        if isinstance(part, torch.nn.PReLU):
            torch.nn.init.uniform_(part.weight, -0.2, 0.6)
    network.train()
    with torch.no_grad():
        for seed in range(3):
            network(torch.from_numpy(crops(8, seed)).permute(0, 3, 1, 2).float())
    return network.eval()


def crops(count, seed=9):
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return np.repeat(np.repeat(coarse, 14, axis=1), 14, axis=2)


def cosines(network, teacher, pixels):
    with torch.no_grad():
        mine = network.eval()(network_input(torch.from_numpy(pixels), network.contract))
        return F.cosine_similarity(mine, teacher(torch.from_numpy(pixels).permute(0, 3, 1, 2).float()))


def test_with_all_channels_the_network_is_its_teacher(teacher):
    network = MobileNetBackbone(WIDTHS)
    made = slim(network, teacher, crops(12))
    assert made.channels == tuple(tuple(range(width)) for width in WIDTHS)
    assert max(made.unexplained) < 1e-5
    assert cosines(network, teacher, crops(6, 77)).min() > 0.999


def test_a_slim_network_keeps_channels_and_is_nearer_than_a_random_one(teacher):
    widths = tuple(-(-3 * width // 4) for width in WIDTHS)
    torch.manual_seed(1)
    network = MobileNetBackbone(widths)
    other = crops(8, 5)
    before = cosines(network, teacher, other).mean()
    made = slim(network, teacher, crops(24))
    assert cosines(network, teacher, other).mean() > max(0.4, before + 0.3)
    assert [len(kept) for kept in made.channels] == list(widths)
    assert all(kept == tuple(sorted(set(kept))) for kept in made.channels)
    assert 0 < made.unexplained[0] < 1
    kept = list(made.channels[1])
    theirs = teacher.stages[2][0].weight[kept]
    assert torch.equal(network.stages[2].depthwise[0].weight, theirs)


def test_batch_statistics_are_those_of_the_slim_network(teacher):
    network = MobileNetBackbone(tuple(-(-width // 2) for width in WIDTHS))
    pixels = crops(16)
    slim(network, teacher, pixels)
    found = []
    hook = network.stages[5].pointwise[0].register_forward_hook(lambda module, given, made: found.append(made))
    with torch.no_grad():
        network(network_input(torch.from_numpy(pixels), network.contract))
    hook.remove()
    norm = network.stages[5].pointwise[1]
    assert (found[0].mean((0, 2, 3)) - norm.running_mean).abs().max() < 0.2 * norm.running_var.sqrt().max()


def test_channels_are_those_of_plain_forward_selection():
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((60, 7)) @ rng.standard_normal((7, 7))
    outputs = inputs[:, [1, 4]] @ rng.standard_normal((2, 3)) + 0.1 * rng.standard_normal((60, 3))

    def missed(chosen):
        x = np.column_stack([inputs[:, chosen], np.ones(60)])
        return float(((outputs - x @ np.linalg.lstsq(x, outputs, rcond=None)[0]) ** 2).sum())

    chosen = []
    for _ in range(5):
        left = [number for number in range(7) if number not in chosen]
        chosen.append(min(left, key=lambda number: missed([*chosen, number])))
        found = best_channels(torch.from_numpy(inputs), torch.from_numpy(outputs), count=len(chosen))
        assert found == sorted(chosen)


def test_a_channel_that_others_explain_comes_last():
    rng = np.random.default_rng(1)
    inputs = rng.standard_normal((50, 3))
    inputs = np.column_stack([inputs[:, 0], inputs[:, 0], inputs[:, 1:]])
    targets = inputs @ np.array([[3.0], [0.0], [2.0], [1.0]])
    assert best_channels(torch.from_numpy(inputs), torch.from_numpy(targets), count=3) == [0, 2, 3]
    assert best_channels(torch.from_numpy(inputs), torch.from_numpy(targets), count=4) == [0, 1, 2, 3]


def test_least_squares_with_an_offset():
    rng = np.random.default_rng(2)
    inputs, outputs = rng.standard_normal((40, 5)) + 3, rng.standard_normal((40, 2)) - 1
    weight, offset = least_squares(torch.from_numpy(inputs), torch.from_numpy(outputs), ridge=0.0)
    wanted = np.linalg.lstsq(np.column_stack([inputs, np.ones(40)]), outputs, rcond=None)[0]
    assert weight.numpy() == pytest.approx(wanted[:5].T) and offset.numpy() == pytest.approx(wanted[5])
    damped, _ = least_squares(torch.from_numpy(inputs), torch.from_numpy(outputs), ridge=10.0)
    assert damped.norm() < weight.norm()


def test_what_cannot_be_cut_is_refused(teacher, tmp_path):
    with pytest.raises(UsageError, match="at most the widths"):
        slim(MobileNetBackbone((5, *WIDTHS[1:])), teacher, crops(2))
    with pytest.raises(UsageError, match="crops of 112 pixels"):
        slim(MobileNetBackbone(WIDTHS, dimension=64), teacher, crops(2))
    with pytest.raises(UsageError, match="crops of 112 pixels"):
        slim(MobileNetBackbone(WIDTHS), teacher, crops(2)[:, :64])
    with pytest.raises(UsageError, match="14 numbers"):
        MobileNetBackbone((1, 2))
    for wrong in ({}, {"run": "x", "slim": 3}, {"slim": -1}, {"slim": 5, "only": ("fc",)}):
        with pytest.raises(UsageError):
            Start(**wrong)
    pack = Pack.write(tmp_path / "p", crops(3), ["a", "b", "c"])
    with pytest.raises(UsageError, match="got a Linear"):
        begin_slim(torch.nn.Linear(1, 1), [pack], count=2, seed=0)


def test_the_crops_of_a_start_come_from_all_packs(tmp_path, monkeypatch):
    from visavis.training.recipes import start

    packs = [Pack.write(tmp_path / str(n), crops(4, n), list("abcd")) for n in range(3)]
    seen = []
    monkeypatch.setattr(start, "slim", lambda backbone, teacher, pixels, *, seed: seen.append(pixels))
    backbone = MobileNetBackbone(WIDTHS)
    begin_slim(backbone, packs, count=100, seed=3)
    everything = np.concatenate([np.asarray(pack.pixels) for pack in packs])
    assert sorted(crop.tobytes() for crop in seen[0]) == sorted(crop.tobytes() for crop in everything)
    begin_slim(backbone, packs, count=5, seed=3)
    assert len(seen[1]) == 5 and backbone.training
    begin_slim(backbone, packs, count=100, seed=3, rows=np.array([1, 6]))
    assert sorted(crop.tobytes() for crop in seen[2]) == sorted(everything[row].tobytes() for row in (1, 6))
