"""Our networks hold exactly the keys of released checkpoints, as written out by rule in `released_keys`."""

from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest
import torch

import released_keys as rule
from visavis import registry
from visavis.errors import ModelError
from visavis.nn.backbones.iresnet import IResNetBackbone
from visavis.nn.checkpoints.keys import fill, misfits, released_keys, to_released
from visavis.nn.checkpoints.layouts import LAYOUTS

LAYERS = {"18": (2, 2, 2, 2), "34": (3, 4, 6, 3), "50": (3, 4, 14, 3), "100": (3, 13, 30, 3), "200": (6, 26, 60, 6)}
RULES = {
    **{f"iresnet{name}": rule.iresnet(layers) for name, layers in LAYERS.items()},
    "adaface-ir18": rule.adaface(LAYERS["18"]),
    "adaface-ir50": rule.adaface(LAYERS["50"]),
    "adaface-ir101": rule.adaface(LAYERS["100"]),
    "mobilefacenet": rule.mobilefacenet((1, 4, 6, 2)),
    "mobilefacenet-large": rule.mobilefacenet((2, 8, 12, 4)),
    "light-cnn-9": rule.light_cnn_9(),
    "light-cnn-29": rule.light_cnn_29(second=False),
    "light-cnn-29v2": rule.light_cnn_29(second=True),
    "light-cnn-v4": rule.light_cnn_v4(),
    "inception-resnet-v1": rule.inception_resnet(),
    **{f"vit-{name}": rule.vit(depth) for name, depth in (("t", 12), ("s", 12), ("b", 24), ("l", 24))},
    "vit-s8": rule.vit(12),
    "vit-b8": rule.vit(24),
    "swin-t": rule.swin((2, 2, 6, 2), swinface=True, shifted=(0, 1, 2)),
    "swin-b": rule.swin((2, 18, 2), swinface=False, shifted=(0, 1)),
}
PROJECTS = {name: [one for one in LAYOUTS.values() if f"backbone/{name}" in one.backbones] for name in RULES}


@cache
def _meta(name):
    with torch.device("meta"):
        return registry.create(f"backbone/{name}")


def test_every_network_of_every_layout_has_a_rule():
    assert {name.partition("/")[2] for layout in LAYOUTS.values() for name in layout.backbones} == set(RULES)


def test_the_page_lists_every_layout():
    page = (Path(__file__).parents[3] / "docs/guides/released-checkpoints.md").read_text(encoding="utf-8")
    assert [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")] == list(LAYOUTS)


@pytest.mark.parametrize("name", RULES)
def test_the_keys_are_those_of_the_project(name):
    keys = RULES[name]
    assert len(set(keys)) == len(keys)
    for layout in PROJECTS[name]:
        idle = [*layout.ignored, *layout.head, *(key.replace("weight", "bias") for key in layout.head)]
        idle = [] if layout.head_beside else idle
        wanted = [key for key in keys if not any(fnmatchcase(key, pattern) for pattern in [*idle, *layout.ignored])]
        assert sorted(released_keys(_meta(name)).values()) == sorted(wanted)


@pytest.mark.parametrize(
    ("name", "entries"),
    [("iresnet100", 925), ("iresnet34", 331), ("light-cnn-9", 22), ("light-cnn-29", 62), ("light-cnn-29v2", 61),
     ("light-cnn-v4", 52), ("inception-resnet-v1", 716)],
)  # fmt: skip
def test_the_rules_have_as_many_keys_as_the_files(name, entries):
    assert len(RULES[name]) == entries


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_state_dict_fits_one_network_of_its_project(layout):
    names = [name.partition("/")[2] for name in LAYOUTS[layout].backbones]
    for name in names:
        state = to_released(_meta(name))
        assert [other for other in names if not misfits(state, _meta(other))] == [name]


@pytest.fixture
def network():
    torch.manual_seed(0)
    return IResNetBackbone((1, 1, 1, 1), size=32, dimension=16)


def test_what_does_not_fit_is_listed_and_nothing_is_filled(network):
    state = {key: torch.zeros_like(value) for key, value in to_released(network).items()}
    state["surplus.weight"] = state.pop("prelu.weight")
    state["fc.bias"] = torch.zeros(3)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(ModelError) as caught:
        fill(network, state, name="file.pth")
    for part in (
        "file.pth",
        "1 missing: prelu.weight",
        "1 unexpected: surplus.weight",
        "fc.bias (3,) in place of (16,)",
    ):
        assert part in str(caught.value)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_long_lists_are_cut(network):
    (line,) = misfits({}, network)
    missing = len(network.state_dict())
    assert line.startswith(f"{missing} missing: conv1.weight") and line.endswith(f"and {missing - 6} more")


def test_counters_of_batches_may_be_missing_but_nothing_else(network):
    state = {key: value for key, value in to_released(network).items() if not key.endswith("num_batches_tracked")}
    fill(network, state, name="file", optional=("num_batches_tracked",))
    with pytest.raises(ModelError, match="num_batches_tracked"):
        fill(network, state, name="file")
