"""Checkpoints of PETALface, as its code writes them, on a small Swin transformer of its shape."""

import pytest
import torch
from torch import nn

import released_keys as rule
from visavis.errors import ModelError
from visavis.nn.adapters.adapted import AdaptedBackbone, adapt
from visavis.nn.adapters.mixing import mixed_by
from visavis.nn.adapters.wrap_linear import adapted_layers
from visavis.nn.backbones.swin import SwinBackbone, SwinShape
from visavis.nn.backbones.vit import ViTBackbone, ViTShape
from visavis.nn.checkpoints.keys import to_released
from visavis.nn.checkpoints.load import load_released

SHAPE = SwinShape(24, (1, 2, 1), (2, 4, 4), patch=2, window=4, positions=True, masked=False, head="all")
DEPTHS = (1, 2, 1)


def swin(seed=0):
    torch.manual_seed(seed)
    return SwinBackbone(SHAPE, size=32, dimension=16).eval()


def saved(seed=1, rank=3):
    """A network with adapters that do something, and what the project would store of it."""
    adapted = adapt(swin(seed), rank=rank, begin="official").eval()
    state = to_released(adapted)
    tables = [key for key in state if key.endswith("relative_position_bias_table")]
    state |= {key.replace("bias_table", "index"): torch.zeros(4, 4, dtype=torch.long) for key in tables}
    return adapted, state | {"layers.0.blocks.1.attn_mask": torch.zeros(4, 4, 4)}


def pictures():
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(3)) * 2 - 1


def official_keys():
    """The adapters' keys by the pattern of the fact sheet."""
    parts = ("down", "up", "down2", "up2")
    keys = [
        f"layers.{stage}.blocks.{block}.attn.qkv.trainable_lora_{part}.weight"
        for stage, depth in enumerate(DEPTHS)
        for block in range(depth)
        for part in parts
    ]
    return [*keys, *(f"feature_layer.2.trainable_lora_{part}.weight" for part in parts[:2])]


def test_keys_are_those_of_the_project():
    _, state = saved()
    plain = rule.swin(DEPTHS, swinface=False, shifted=())
    assert sorted(key for key in state if not key.endswith("attn_mask")) == sorted([*plain, *official_keys()])


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_released_file_computes_what_was_saved(tmp_path, wrapped):
    adapted, state = saved(rank=3)
    whole = {"epoch": 3, "global_step": 9, "state_dict_backbone": state, "state_dict_softmax_fc": {}}
    torch.save(whole if wrapped else state, tmp_path / "model.pt")
    found = load_released(tmp_path / "model.pt", "petalface", backbone=swin(7)).backbone
    assert isinstance(found, AdaptedBackbone) and found.dual
    assert {layer.rank for layer in adapted_layers(found).values()} == {3}
    with torch.no_grad():
        for alpha in ([0.0, 1.0], [0.5, 0.2]):
            with mixed_by(torch.tensor(alpha)):
                assert torch.equal(found(pictures()), adapted(pictures()))
        with mixed_by(torch.full((2,), 0.5)):
            half = adapted(pictures())
        assert torch.equal(found(pictures()), half)


def test_single_adapters_are_read_as_such(tmp_path):
    adapted = adapt(swin(1), rank=2, dual=False, begin="official").eval()
    torch.save(to_released(adapted), tmp_path / "model.pt")
    found = load_released(tmp_path / "model.pt", "petalface", backbone=swin(7)).backbone
    assert isinstance(found, AdaptedBackbone) and not found.dual
    with torch.no_grad():
        assert torch.equal(found(pictures()), adapted(pictures()))


def test_a_vision_transformer_of_the_project_is_read_too(tmp_path):
    def vit():
        return ViTBackbone(ViTShape(16, 2, heads=2, patch=4), size=16, dimension=16).eval()

    adapted = adapt(vit(), rank=2, begin="official").eval()
    state = to_released(adapted)
    assert "blocks.1.attn.qkv.trainable_lora_up2.weight" in state and "feature.2.trainable_lora_up.weight" in state
    torch.save(state, tmp_path / "model.pt")
    found = load_released(tmp_path / "model.pt", "petalface", backbone=vit()).backbone
    x = pictures()[:, :, :16, :16]
    with torch.no_grad(), mixed_by(torch.tensor([0.1, 0.8])):
        assert torch.equal(found(x), adapted(x))


def test_a_pre_trained_file_fills_a_network_with_adapters_which_keeps_its_own(tmp_path):
    pre = swin(4)
    torch.save(to_released(pre), tmp_path / "model.pt")
    given = adapt(swin(5), rank=2)
    own = given.network.layers[0].blocks[0].attn.qkv.trainable_lora_down.weight.clone()
    found = load_released(tmp_path / "model.pt", "petalface", backbone=given).backbone
    assert found is given
    assert torch.equal(found.network.layers[0].blocks[0].attn.qkv.trainable_lora_down.weight, own)
    with torch.no_grad():
        assert torch.equal(found(pictures()), pre(pictures()))


@pytest.mark.parametrize(
    ("drop", "told"),
    [
        ("layers.1.blocks.1.attn.qkv.weight", "1 missing: layers.1.blocks.1.attn.qkv.weight"),
        ("layers.1.blocks.1.attn.qkv.trainable_lora_up2.weight", "are cut: down, down2, up"),
        ("layers.1.blocks.1.attn.qkv.trainable", "in some blocks and not of layers.1.blocks.1.attn.qkv"),
    ],
)
def test_what_a_file_lacks_is_told(tmp_path, drop, told):
    _, state = saved()
    torch.save({key: value for key, value in state.items() if not key.startswith(drop)}, tmp_path / "model.pt")
    with pytest.raises(ModelError, match=told):
        load_released(tmp_path / "model.pt", "petalface", backbone=swin(7))


def test_missing_weights_of_the_network_are_no_matter_of_adapters(tmp_path):
    state = to_released(swin(4))
    del state["layers.0.blocks.0.attn.qkv.weight"]
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(ModelError, match=r"1 missing: layers.0.blocks.0.attn.qkv.weight\."):
        load_released(tmp_path / "model.pt", "petalface", backbone=adapt(swin(5), rank=2))


def test_another_rank_or_place_is_refused(tmp_path):
    _, state = saved(rank=3)
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(ModelError, match="of another shape"):
        load_released(tmp_path / "model.pt", "petalface", backbone=adapt(swin(5), rank=2))
    state["layers.9.qkv.trainable_lora_down.weight"] = state["layers.9.qkv.trainable_lora_up.weight"] = torch.zeros(
        2, 2
    )
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(ModelError, match="which the network has not"):
        load_released(tmp_path / "model.pt", "petalface", backbone=swin(7))


def test_shifted_windows_are_not_masked_as_the_released_weights_were_trained():
    masked = SwinShape(24, DEPTHS, (2, 4, 4), patch=2, window=4, positions=True, masked=True, head="all")
    torch.manual_seed(0)
    other = SwinBackbone(masked, size=32, dimension=16).eval()
    assert isinstance(other.norm, nn.LayerNorm)
    with torch.no_grad():
        assert not torch.allclose(other(pictures()), swin()(pictures()), atol=1e-4)
