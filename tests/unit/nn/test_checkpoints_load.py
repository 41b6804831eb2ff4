"""Files as the projects write them, made from seeded networks: what is loaded computes what was saved."""

import argparse
import io
import pickle
import sys
import types
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import released_keys as rule
from visavis.cards import LocalFile, UrlFile
from visavis.errors import ModelError, UsageError
from visavis.nn.backbones.adaface_iresnet import AdaFaceIResNetBackbone
from visavis.nn.backbones.inception_resnet import InceptionResNetBackbone
from visavis.nn.backbones.iresnet import IResNetBackbone
from visavis.nn.backbones.light_cnn import LightCNN9Backbone, LightCNN29Backbone
from visavis.nn.backbones.light_cnn_v4 import LightCNNV4Backbone
from visavis.nn.backbones.mobilefacenet import MobileFaceNetBackbone
from visavis.nn.backbones.swin import SwinBackbone, SwinShape
from visavis.nn.backbones.vit import ViTBackbone, ViTShape
from visavis.nn.checkpoints.keys import to_released
from visavis.nn.checkpoints.layouts import LAYOUTS
from visavis.nn.checkpoints.load import load_released, read_head
from visavis.nn.checkpoints.read import read_checkpoint

LAYERS = (1, 2, 1, 1)
IRESNET = partial(IResNetBackbone, LAYERS, size=32, dimension=16)
ADAFACE = partial(AdaFaceIResNetBackbone, LAYERS, size=32, dimension=16)
MBF = partial(MobileFaceNetBackbone, (1, 1, 1, 1), size=32, dimension=16)
SWIN_MEAN = partial(SwinBackbone, SwinShape(8, (2, 2), (1, 2), 2, 4, False, True, "mean"), size=32, dimension=16)
SWIN_ALL = partial(SwinBackbone, SwinShape(8, (2, 2), (1, 2), 2, 4, True, False, "all"), size=32, dimension=16)
VIT = partial(ViTBackbone, ViTShape(16, 2, heads=2, patch=4), size=16, dimension=16)
HEAD = torch.arange(16.0 * 5).reshape(5, 16)


def _seeded(make, seed=0):
    """A network whose batch normalisations have something to say."""
    torch.manual_seed(seed)
    network = make()
    for part in network.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
    return network.eval()


def _under(prefix, state):
    return {prefix + key: value for key, value in state.items()}


def _windows(state):
    """With what PETALface and SwinFace store besides."""
    tables = [key for key in state if key.endswith("relative_position_bias_table")]
    more = {key.replace("bias_table", "index"): torch.zeros(4, 4, dtype=torch.long) for key in tables}
    return state | more | {"layers.0.blocks.1.attn_mask": torch.zeros(4, 4, 4)}


CASES = {
    "insightface": (IRESNET, rule.iresnet(LAYERS), lambda state: state),
    "insightface-training": (
        IRESNET,
        None,
        lambda state: {"epoch": 3, "state_dict_backbone": _under("module.", state)},
    ),
    "insightface-mbf": (MBF, rule.mobilefacenet((1, 1, 1, 1)), lambda state: state),
    "insightface-vit": (VIT, rule.vit(2), lambda state: state),
    "elasticface": (IRESNET, None, lambda state: _under("module.", state)),
    "magface": (
        IRESNET,
        None,
        lambda state: {
            "epoch": 25,
            "arch": "iresnet100",
            "state_dict": _under("features.module.", state) | {"fc.weight": HEAD.T},
            "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]},
        },
    ),
    "adaface": (
        ADAFACE,
        rule.adaface(LAYERS),
        lambda state: {
            "epoch": 1,
            "state_dict": _under("model.", state) | {"head.kernel": HEAD.T},
            "hyper_parameters": argparse.Namespace(arch="ir_50", lr=0.1),
        },
    ),
    "cvlface": (ADAFACE, None, lambda state: _under("net.", state)),
    "cvlface-hub": (ADAFACE, None, lambda state: _under("model.net.", state)),
    "cvlface-vit": (VIT, None, lambda state: {f"net.{key}": state[key] for key in state if key != "mask_token"}),
    "light-cnn": (
        partial(LightCNN9Backbone, size=16, dimension=16),
        rule.light_cnn_9(),
        lambda state: {
            "epoch": 80,
            "arch": "LightCNN",
            "state_dict": _under("module.", state | {"fc2.weight": HEAD, "fc2.bias": torch.ones(5)}),
            "prec1": np.float64(98.5),
        },
    ),
    "light-cnn-29v2": (
        partial(LightCNN29Backbone, True, size=16, dimension=16),
        rule.light_cnn_29(second=True),
        lambda state: {"state_dict": _under("module.", state | {"fc2.weight": HEAD}), "prec1": torch.tensor(9.0)},
    ),
    "light-cnn-v4": (
        partial(LightCNNV4Backbone, size=16, dimension=16),
        rule.light_cnn_v4(),
        lambda state: {"epoch": 1, "arch": "v4", "state_dict": _under("module.", state), "prec1": np.float32(99.0)},
    ),
    "facenet-pytorch": (
        partial(InceptionResNetBackbone, size=75, dimension=16),
        rule.inception_resnet(),
        lambda state: state | {"logits.weight": HEAD, "logits.bias": torch.zeros(5)},
    ),
    "swinface": (
        SWIN_MEAN,
        None,
        lambda state: {
            "state_dict_backbone": _windows(state) | {"head.weight": torch.zeros(16, 16), "head.bias": torch.zeros(16)},
            "state_dict_fam": {},
        },
    ),
    "petalface": (SWIN_ALL, None, _windows),
}
WITH_HEAD = ("magface", "adaface", "light-cnn", "light-cnn-29v2", "facenet-pytorch")


def _layout(case):
    return next(name for name in sorted(LAYOUTS, key=len, reverse=True) if case.startswith(name))


@pytest.mark.parametrize(
    ("case", "legacy"), [*((case, False) for case in CASES), ("light-cnn", True), ("adaface", True)]
)
def test_a_file_of_the_project_computes_what_was_saved(case, legacy, tmp_path):
    make, keys, wrap = CASES[case]
    saved = _seeded(make)
    state = {key: value.clone() for key, value in to_released(saved).items()}
    if keys is not None:
        classifier = [key for key in keys if key.startswith(("fc2.", "logits."))]
        assert sorted(state) == sorted(set(keys) - set(classifier))
    path = tmp_path / "file.pth.tar"
    torch.save(wrap(state), path, _use_new_zipfile_serialization=not legacy)
    layout = LAYOUTS[_layout(case)]
    found = load_released(path, layout.name, backbone=make())
    if layout.epsilon is not None:
        for part in saved.modules():
            if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
                part.eps = layout.epsilon
    network = found.backbone
    size = network.contract.size[0]
    x = torch.rand(2, network.contract.channels, size, size)
    with torch.no_grad():
        assert torch.equal(network(x), saved(x))
    assert not network.training and network.contract == layout.contract(size) and found.layout is layout
    assert len(found.sha256) == 64
    assert torch.equal(found.head, HEAD) if case in WITH_HEAD else found.head is None


def test_the_network_is_chosen_by_its_keys_and_the_dimension_by_its_shapes(tmp_path):
    saved = _seeded(partial(MobileFaceNetBackbone, (1, 4, 6, 2), dimension=24))
    path = tmp_path / "backbone.safetensors"
    save_file({key: value.contiguous() for key, value in to_released(saved).items()}, path)
    found = load_released(path, "insightface").backbone
    assert found.dimension == 24
    x = torch.rand(1, 3, 112, 112)
    with torch.no_grad():
        assert torch.equal(found(x), saved(x))
    with pytest.raises(
        ModelError, match=r"fits no network of facenet-pytorch; nearest is inception-resnet-v1: 602 miss"
    ):
        load_released(path, "facenet-pytorch")


def test_elasticface_heads_are_turned(tmp_path):
    torch.save({"kernel": HEAD.T}, tmp_path / "295672header.pth")
    assert torch.equal(read_head(tmp_path / "295672header.pth"), HEAD)
    torch.save({"other": HEAD}, tmp_path / "x.pth")
    with pytest.raises(ModelError, match="kernel"):
        read_head(tmp_path / "x.pth")
    with pytest.raises(ModelError, match="cannot be read"):
        read_head(tmp_path / "none.pth")


@pytest.fixture
def unpg(tmp_path):
    """A checkpoint of UNPG: whole modules, pickled under the module paths of its repository."""
    saved = _seeded(IRESNET)
    places = {name: types.ModuleType(name) for name in ("models", "models.iresnet", "models.build", "models.head")}

    def cls(name, place):
        made = type(name, (nn.Module,), {"__module__": place, "__qualname__": name})
        setattr(places[place], name, made)
        return made

    outer, block = cls("IResNet", "models.iresnet"), cls("IBasicBlock", "models.iresnet")
    loss, head = cls("HeadAndLoss", "models.build"), cls("ArcFace", "models.head")
    whole = outer()
    for name, part in saved.named_children():
        whole.add_module("features" if name == "neck" else name, part)
    whole.avgpool = nn.AdaptiveAvgPool2d((1, 1))
    for part in whole.modules():
        if type(part).__name__ in ("IResNetBlock", "PReLU"):
            part.__class__ = block if type(part).__name__ == "IResNetBlock" else nn.PReLU
    both = loss()
    both.head, both.criterion = head(), nn.CrossEntropyLoss()
    both.head.weight = nn.Parameter(HEAD.clone())
    path = tmp_path / "face.r100.cos.unpg.wisk1.5.pt"
    sys.modules |= places
    try:
        torch.save(
            {"epoch": 19, "best_acc": 0.99, "backbone": whole.eval(), "headandloss": both, "scheduler": {}}, path
        )
    finally:
        for name in places:
            del sys.modules[name]
    return path, _seeded(IRESNET)


def test_pickled_modules_of_unpg_are_read_without_its_classes(unpg):
    path, saved = unpg
    found = load_released(path, "unpg", backbone=IRESNET())
    x = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(found.backbone(x), saved(x))
    assert torch.equal(found.head, HEAD)
    contract = found.backbone.contract
    assert contract.mean == pytest.approx((123.675, 116.28, 103.53)) and contract.scale[0] == pytest.approx(1 / 58.395)
    assert not [name for name in sys.modules if name == "models" or name.startswith("models.")]


def test_pickled_modules_are_refused_unless_the_layout_names_them(unpg):
    with pytest.raises(ModelError, match=r"holds more than tensors \(models\.\w+") as caught:
        load_released(unpg[0], "insightface", backbone=IRESNET())
    assert caught.value.reason == "model.refused"


class _Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('ran')",))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_checkpoint_never_runs(layout, legacy, tmp_path):
    path = tmp_path / "evil.pth"
    torch.save({"state_dict": _Evil()}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ModelError, match="more than tensors") as caught:
        load_released(path, layout)
    assert caught.value.reason == "model.refused"


def test_what_the_caller_holds_for_safe_stays_so_and_nothing_is_added(tmp_path):
    torch.save({"state_dict": {"a": torch.zeros(1)}, "prec1": np.float64(1.0)}, tmp_path / "x.pth")
    data = (tmp_path / "x.pth").read_bytes()
    with torch.serialization.safe_globals([np.dtype, _Evil]):
        before = set(torch.serialization.get_safe_globals())
        assert read_checkpoint(data, name="x", names=["a.B"])["prec1"] == 1.0
        assert set(torch.serialization.get_safe_globals()) == before


def test_threads_read_side_by_side(unpg):
    data = unpg[0].read_bytes()

    def read(number):
        if number % 2:
            return sorted(read_checkpoint(data, name="x", names=LAYOUTS["unpg"].names))
        with pytest.raises(ModelError, match="more than tensors"):
            read_checkpoint(data, name="x")
        return None

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read, range(16)))
    assert found[1::2] == [["backbone", "best_acc", "epoch", "headandloss", "scheduler"]] * 8


def test_damaged_files_say_so(tmp_path):
    buffer = io.BytesIO()
    torch.save({"weight": torch.zeros(400)}, buffer)
    whole = buffer.getvalue()
    cut = io.BytesIO()
    with zipfile.ZipFile(cut, "w") as archive:
        archive.writestr("x/data.pkl", b"\x80\x02}")
    header = (30).to_bytes(8, "little") + b'{"a": 1' + b" " * 30
    for number, data in enumerate(
        (whole[: len(whole) // 2], b"", b"text", cut.getvalue(), header, pickle.dumps([1], protocol=2)[:5])
    ):
        path = tmp_path / f"{number}.pth"
        path.write_bytes(data)
        with pytest.raises(ModelError) as caught:
            load_released(path, "insightface")
        assert caught.value.reason == "model.damaged", caught.value


def test_something_else_than_a_state_dict_is_named(tmp_path):
    for number, value in enumerate(({"epoch": 3, "loss": 0.5}, [1, 2], {}, {"state_dict": {"a": 1}})):
        path = tmp_path / f"{number}.pth"
        torch.save(value, path)
        with pytest.raises(ModelError, match="expected a state dict, alone or as state_dict") as caught:
            load_released(path, "light-cnn")
        assert caught.value.reason == "model.refused"


def test_hash_policy_layout_and_place_are_checked(tmp_path):
    path = tmp_path / "backbone.pth"
    torch.save(to_released(_seeded(MBF)), path)
    digest = load_released(path, "insightface", backbone=MBF()).sha256
    assert load_released(LocalFile(str(path)), "insightface", backbone=MBF(), sha256=digest).sha256 == digest
    with pytest.raises(ModelError, match="sha256"):
        load_released(path, "insightface", backbone=MBF(), sha256="0" * 64)
    with pytest.raises(ModelError, match="research only"):
        load_released(path, "insightface", backbone=MBF(), policy="commercial")
    with pytest.raises(UsageError, match="no layout 'arcface'; checkpoints can be read of insightface"):
        load_released(path, "arcface")
    with pytest.raises(ModelError, match="not on this machine"):
        load_released(tmp_path / "none.pth", "insightface")
    with pytest.raises(UsageError, match="no sha256"):
        load_released(UrlFile("https://host/backbone.pth"), "insightface")


@pytest.mark.parametrize("shape", [(), (0,), (0, 3)])
def test_a_last_layer_without_a_length_fits_no_network(tmp_path, shape):
    torch.save({"features.weight": torch.zeros(shape)}, tmp_path / "a.pt")
    with pytest.raises(ModelError, match="fits no network of insightface"):
        load_released(tmp_path / "a.pt", "insightface")


@pytest.mark.parametrize("name", ["loss/arcface", "embedder/sface"])
def test_only_a_backbone_is_taken_for_one(tmp_path, name):
    torch.save({"features.weight": torch.zeros(16)}, tmp_path / "a.pt")
    with pytest.raises(UsageError, match="is no backbone"):
        load_released(tmp_path / "a.pt", "insightface", backbone=name)


@pytest.mark.parametrize("parts", [3, {"a": {"_parameters": 5, "_buffers": [1]}}, {"a": {"_modules": None}}, {1: {}}])
def test_a_module_whose_parts_are_none_is_no_checkpoint(tmp_path, parts):
    torch.save({"state_dict": {"_modules": parts}}, tmp_path / "a.pt")
    with pytest.raises(ModelError, match="no checkpoint of adaface"):
        load_released(tmp_path / "a.pt", "adaface")


@pytest.mark.parametrize("shape", [(), (3,), (2, 2, 2)])
def test_a_classifier_is_a_matrix(tmp_path, shape):
    torch.save({"model.features.weight": torch.zeros(16), "head.kernel": torch.zeros(shape)}, tmp_path / "a.pt")
    torch.save({"kernel": torch.zeros(shape)}, tmp_path / "header.pth")
    with pytest.raises(ModelError, match="expected a dense matrix"):
        load_released(tmp_path / "a.pt", "adaface")
    with pytest.raises(ModelError, match="expected a dense matrix"):
        read_head(tmp_path / "header.pth")


@pytest.mark.parametrize("change", [torch.Tensor.to_sparse, lambda tensor: tensor.to(torch.complex64)])
def test_tensors_that_are_not_dense_real_numbers_are_refused(tmp_path, change):
    state = to_released(_seeded(IRESNET))
    state["conv1.weight"] = change(state["conv1.weight"])
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(ModelError, match=r"conv1\.weight.*expected dense real numbers"):
        load_released(tmp_path / "a.pt", "insightface", backbone=IRESNET())
