"""Runs that adapt: what is trained, what rests, and what comes out."""

import dataclasses
import json

import cv2
import numpy as np
import onnx
import pytest
import torch
from recogniser_task import patterns

from visavis import registry
from visavis.data.pack import Pack
from visavis.errors import ModelError, UsageError
from visavis.nn.adapters.adapter_file import frozen_sha256
from visavis.nn.backbones.mobilefacenet import MobileFaceNetBackbone
from visavis.nn.backbones.vit import ViTBackbone, ViTShape
from visavis.nn.pixels import network_input
from visavis.quality.sharpness import SharpnessScorer, detail_share
from visavis.recognition.onnx_embedder import OnnxEmbedder
from visavis.training.optimisers import Sgd
from visavis.training.recipes.adaptation import Adaptation, Weighing
from visavis.training.recipes.crop_score import crop_score
from visavis.training.recipes.export import Terms, export_backbone, export_run
from visavis.training.recipes.part import Part
from visavis.training.recipes.read import read_recipe, write_recipe
from visavis.training.recipes.recipe import RecogniserRecipe
from visavis.training.recipes.run import train_recogniser
from visavis.training.recipes.start import Start
from visavis.training.recipes.start_model import begin_model, model_card
from visavis.training.recipes.trained import read_run
from visavis.training.schedules import Constant
from visavis.training.settings import Settings

RECIPE = RecogniserRecipe(
    backbone=Part("backbone/vit-mini", {"size": 32, "dimension": 16}),
    loss=Part("loss/cosface", {"scale": 16.0}),
    training=Settings(steps=2, optimisers={"*": Sgd(rate=0.1, schedule=Constant())}, tensorboard=False, threads=1),
    batch=12,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A pack, and a run to begin with."""
    folder = tmp_path_factory.mktemp("adaptation")
    pack = Pack.write(folder / "train", *patterns(6, 5, seed=1))
    train_recogniser(RECIPE, pack, out=folder / "first")
    return folder, pack


def adapting(folder, steps=4, **how):
    training = dataclasses.replace(RECIPE.training, steps=steps, checkpoint_every=2)
    start = Start(str(folder / "first"))
    return dataclasses.replace(RECIPE, start=start, training=training, adaptation=Adaptation(**how))


def crops(count=6):
    """Patterns, each second one of them blurred."""
    pixels = np.array(np.random.default_rng(0).integers(0, 256, (count, 112, 112, 3)), np.uint8)
    return np.stack([cv2.GaussianBlur(one, (0, 0), 3) if row % 2 else one for row, one in enumerate(pixels)])


@pytest.mark.parametrize("method", ["lora", "dual_lora"])
def test_adapters_are_trained_and_nothing_else_and_the_record_says_how_many(made, tmp_path, method):
    folder, pack = made
    train_recogniser(adapting(folder, method=method, rank=4), pack, out=tmp_path / "run")
    found = read_run(tmp_path / "run").backbone
    before = read_run(folder / "first").backbone
    assert frozen_sha256(found.network) == frozen_sha256(before)
    pairs = 2 if method == "dual_lora" else 1
    tokens = 4
    trained = 6 * pairs * 4 * (144 + 432) + 4 * (tokens * 144 + 144) + 4 * (144 + 16)
    whole = sum(weight.numel() for weight in before.parameters())
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["trained"] == {"trained": trained, "frozen": whole, "share": trained / whole}
    x = network_input(torch.from_numpy(crops()), found.contract)
    with torch.no_grad():
        assert not torch.allclose(found(x), before(x), atol=1e-4)


@pytest.mark.slow
def test_full_trains_everything_as_without_the_section(made, tmp_path):
    folder, pack = made
    recipe = adapting(folder, method="full")
    train_recogniser(recipe, pack, out=tmp_path / "full")
    train_recogniser(dataclasses.replace(recipe, adaptation=None), pack, out=tmp_path / "plain")
    one, other = (read_run(tmp_path / name).backbone.state_dict() for name in ("full", "plain"))
    assert all(torch.equal(one[key], other[key]) for key in other)
    trained = json.loads((tmp_path / "full" / "run.json").read_text())["trained"]
    assert trained["share"] == pytest.approx(1, abs=1e-3)


def test_a_run_that_was_ended_goes_on_bit_for_bit(made, tmp_path):
    folder, pack = made
    recipe = adapting(folder, rank=4)
    train_recogniser(recipe, pack, out=tmp_path / "whole")

    def stop(report):
        if report.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_recogniser(recipe, pack, out=tmp_path / "parts", observe=stop)
    train_recogniser(recipe, pack, out=tmp_path / "parts", resume=True)
    one, other = (read_run(tmp_path / name).backbone.state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def small(**how):
    """A transformer of two blocks with adapters that do something."""
    torch.manual_seed(0)
    network = ViTBackbone(ViTShape(16, 2, heads=2, patch=28), dimension=16).eval()
    adapted = Adaptation(rank=4, **how).apply(network)
    for name, weight in adapted.named_parameters():
        if "trainable_lora" in name:
            torch.nn.init.normal_(weight, std=0.5)
    return adapted.eval()


def graph(adapted, path):
    exported = export_backbone(adapted, path, Terms("none", "research", "nothing"), template="arcface-112")
    return exported, onnx.load(exported.path).graph


def test_the_exported_graph_mixes_by_itself(tmp_path):
    adapted = small()
    exported, found = graph(adapted, tmp_path / "mixed.onnx")
    assert len(found.input) == 1
    pixels = crops()
    x = network_input(torch.from_numpy(pixels), adapted.contract)
    alpha = adapted.weight(x)
    assert alpha[::2].min() > alpha[1::2].max() + 0.3
    with torch.no_grad():
        values = adapted(x)
        assert OnnxEmbedder(exported.card).raw(pixels) == pytest.approx(values.numpy(), abs=1e-4)
        assert not torch.allclose(adapted.merged(0.5)(x), values, atol=1e-2)


@pytest.mark.slow
def test_one_adapter_a_layer_is_merged_into_the_export(tmp_path):
    adapted = small(method="lora")
    exported, found = graph(adapted, tmp_path / "one.onnx")
    assert not [tensor.name for tensor in found.initializer if "lora" in tensor.name]
    assert sum(node.op_type in ("MatMul", "Gemm") for node in found.node) == 2 * (4 + 2) + 2
    x = network_input(torch.from_numpy(crops()), adapted.contract)
    with torch.no_grad():
        assert OnnxEmbedder(exported.card).raw(crops()) == pytest.approx(adapted(x).numpy(), abs=1e-4)


def test_what_a_graph_cannot_hold_is_not_exported(made, tmp_path):
    folder, pack = made
    train_recogniser(adapting(folder, rank=2, quality=Weighing(measure="contrast")), pack, out=tmp_path / "run")
    trained = read_run(tmp_path / "run")
    with pytest.raises(ModelError, match="measure that is no part of the network"):
        export_run(trained, tmp_path / "no.onnx", licence="none")
    assert trained.backbone.merged(0.3)(torch.zeros(1, 3, 32, 32)).shape == (1, 16)


def test_measures_of_crops_weigh_as_their_scorers_say():
    pixels = crops()
    shown = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    luma = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    expected = SharpnessScorer.scale.score(detail_share(luma))
    assert 100 * crop_score("quality/sharpness")(shown).numpy() == pytest.approx(expected, abs=1e-3)
    with pytest.raises(UsageError, match="where the face lies"):
        crop_score("pose")
    with pytest.raises(UsageError, match="a crop alone does not have it"):
        Weighing(measure="norm").build(registry.create("backbone/vit-mini"))(torch.zeros(2, 3, 112, 112))


def test_a_fixed_weight_needs_no_measure():
    backbone = registry.create("backbone/vit-mini")
    assert Weighing(fixed=0.25).build(backbone)(torch.zeros(3, 3, 112, 112)).tolist() == [0.25] * 3


def test_recipes_with_adapters_are_read_and_written(made, tmp_path):
    folder, _ = made
    recipe = adapting(folder, rank=3, targets=("qkv", "fc1"), quality=Weighing(threshold=40.0))
    path = tmp_path / "night.yaml"
    path.write_text(write_recipe(recipe))
    assert read_recipe(path) == recipe
    with pytest.raises(UsageError, match="adaptation needs a start"):
        dataclasses.replace(recipe, start=None)
    with pytest.raises(UsageError, match="leave only of start out"):
        dataclasses.replace(recipe, start=Start("x", only=("feature",)))
    with pytest.raises(UsageError, match="full, lora, dual_lora"):
        Adaptation(method="peft")
    with pytest.raises(UsageError, match=r"score of 0\.\.100"):
        Weighing(threshold=500.0)


def test_a_model_of_this_package_is_the_same_network_in_torch():
    backbone, pixels = registry.create("backbone/vit-mini"), crops(48)
    card = begin_model(backbone, "visavis-vit-t", pixels)
    x = network_input(torch.from_numpy(pixels[:8]), backbone.contract)
    with torch.no_grad():
        found = backbone.eval()(x).numpy()
        assert found == pytest.approx(OnnxEmbedder(card).raw(pixels[:8]), abs=1e-4)
        norm = backbone.feature[1]
        seen = []
        hook = norm.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
        backbone(network_input(torch.from_numpy(pixels), backbone.contract))
        hook.remove()
        assert torch.allclose(norm.running_mean, seen[0].mean(0), atol=1e-4)
        assert torch.allclose(norm.running_var, seen[0].var(0, unbiased=False), rtol=1e-3, atol=1e-6)


def test_models_that_a_run_cannot_begin_with_are_told():
    with pytest.raises(UsageError, match="vision transformer; the recipe has a MobileFaceNetBackbone"):
        begin_model(MobileFaceNetBackbone((1, 1, 1, 1), size=32), "visavis-vit-t", crops(2))
    with pytest.raises(UsageError, match="of this package"):
        model_card("dlib")
    with pytest.raises(ModelError, match="differs"):
        begin_model(registry.create("backbone/vit-mini", dimension=64), "visavis-vit-t", crops(2))
    with pytest.raises(UsageError, match="one of them"):
        Start(run="a", model="visavis-vit-t")


@pytest.mark.parametrize(
    "options",
    [
        {"rank": 0},
        {"begin": "x"},
        {"dropout": 1.0},
        {"scale": float("nan")},
        {"targets": ()},
        {"method": "lora", "quality": Weighing(threshold=40.0)},
    ],
)
def test_an_adaptation_out_of_range_is_refused_before_anything_is_built(options):
    with pytest.raises(UsageError):
        Adaptation(**options)


@pytest.mark.parametrize("fixed", [float("nan"), 7.0, -0.1])
def test_a_fixed_alpha_lies_between_the_two_adapters(fixed):
    with pytest.raises(UsageError, match="fixed alpha"):
        Weighing(fixed=fixed)
    assert Weighing(fixed=7.0, clamp=False).fixed == 7
