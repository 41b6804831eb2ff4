"""Parameters and operations of the networks against those that their papers and released code state."""

import pytest
import torch

from visavis import registry
from visavis.nn.backbones.table import SIZES


def _iresnet(layers):
    """Counted by hand: stem, blocks, shortcuts, BN, linear, BN."""
    total, inputs = 64 * 27 + 2 * 64 + 64, 64
    for width, count in zip((64, 128, 256, 512), layers, strict=True):
        for block in range(count):
            start = inputs if block == 0 else width
            total += 2 * start + 9 * start * width + 2 * width + width + 9 * width * width + 2 * width
            total += start * width + 2 * width if block == 0 else 0
        inputs = width
    return total + 2 * 512 + 512 * 49 * 512 + 512 + 2 * 512


@pytest.mark.parametrize(
    ("name", "layers"), [("18", (2, 2, 2, 2)), ("50", (3, 4, 14, 3)), ("100", (3, 13, 30, 3)), ("200", (6, 26, 60, 6))]
)
def test_iresnet_by_closed_form(name, layers):
    assert SIZES[f"backbone/iresnet{name}"].parameters == _iresnet(layers)


@pytest.mark.parametrize(("name", "width", "depth"), [("t", 256, 12), ("s", 512, 12), ("b", 512, 24), ("l", 768, 24)])
def test_vit_by_closed_form(name, width, depth):
    block = 4 * width + 3 * width**2 + width**2 + width + 8 * width**2 + 5 * width
    head = 144 * width * width + 2 * width + width * 512 + 2 * 512
    others = 3 * 81 * width + width + 144 * width + width + 2 * width
    assert SIZES[f"backbone/vit-{name}"].parameters == depth * block + head + others


@pytest.mark.parametrize(
    ("name", "parameters", "entries"),
    [
        ("iresnet34", 34_139_328, 331),
        ("iresnet50", 43_590_848, 475),
        ("iresnet100", 65_156_160, 925),
        ("light-cnn-9", 5_480_864, 22 - 2),
        ("light-cnn-29", 12_573_280, 62 - 2),
        ("light-cnn-29v2", 10_475_872, 61 - 1),
        ("light-cnn-v4", 10_345_600, 52),
        ("inception-resnet-v1", 27_910_327 - 513 * 8631, 716 - 2),
        ("swin-b", 213_666_768, None),
    ],
)
def test_counts_of_released_checkpoints(name, parameters, entries):
    """Entries without those of the classifier, which is no part of a backbone."""
    size = SIZES[f"backbone/{name}"]
    assert size.parameters == parameters and entries in (None, size.entries)


@pytest.mark.parametrize(
    ("name", "millions", "billions"),
    [
        ("facenet-nn1", 140.0, 1.6),
        ("facenet-nn2", 7.5, 1.6),
        ("light-cnn-4", 4.1, None),
        ("light-cnn-9", 5.5, None),
        ("light-cnn-29", 12.6, None),
        ("iresnet50", None, 6.3),
        ("iresnet100", None, 12.1),
        ("vit-t", None, 1.5),
        ("vit-s", None, 5.7),
        ("vit-b", None, 11.4),
        ("vit-l", None, 25.3),
    ],
)
def test_rounded_counts_of_the_papers_and_of_insightface(name, millions, billions):
    size = SIZES[f"backbone/{name}"]
    assert millions is None or size.parameters / 1e6 == pytest.approx(millions, abs=0.05)
    assert billions is None or size.macs / 1e9 == pytest.approx(billions, abs=0.05)


@pytest.mark.parametrize(("name", "size"), [("iresnet18", 64), ("mobilefacenet", 96), ("mobilefacenet-tiny", 64),
                                            ("light-cnn-4", 112), ("light-cnn-9", 64), ("light-cnn-29v2", 64),
                                            ("inception-resnet-v1", 112), ("facenet-nn1", 100), ("facenet-nn2", 96),
                                            ("vit-t", 56),
                                            ("swin-t", 224)])  # fmt: skip
def test_other_sizes_give_the_taps_they_declare(name, size):
    with torch.device("meta"):
        network = registry.create(f"backbone/{name}", size=size).eval()
        x = torch.empty(2, network.contract.channels, size, size)
    found = network.features(x, taps=list(network.taps))
    assert {tap: tuple(value.shape[1:]) for tap, value in found.items()} == dict(network.taps)
