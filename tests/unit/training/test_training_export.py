"""A run becomes a file that the inference road takes: same embeddings, its card, its calibration."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from recogniser_task import patterns
from test_training_recogniser import RECIPE

from visavis.data.pack import Pack
from visavis.errors import ModelError, UsageError
from visavis.nn.pixels import normalise
from visavis.pipeline.models import create_embedder
from visavis.pipeline.pipeline import Pipeline
from visavis.runtime.session import EngineOptions
from visavis.training.recipes import export
from visavis.training.recipes.export import export_run, template_of, trained_on
from visavis.training.recipes.run import train_recogniser
from visavis.training.recipes.trained import read_run
from visavis.training.settings import MovingAverage, Watch
from visavis.types import Crops, Status


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    trained = Pack.write(folder / "train", *patterns(6, 5, seed=1))
    develop = Pack.write(folder / "develop", *patterns(4, 4, seed=2))
    settings = dataclasses.replace(
        RECIPE.training, steps=4, average=MovingAverage(0.5), watch=Watch("auc"), evaluate_every=1.0
    )
    train_recogniser(dataclasses.replace(RECIPE, training=settings), trained, develop=develop, out=folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    return export_run(read_run(run), tmp_path_factory.mktemp("export") / "mine.onnx", licence="MIT")


def crops(count=5):
    pixels = np.random.default_rng(1).integers(0, 256, (count, 112, 112, 3), np.uint8)
    matrices = np.tile(np.eye(2, 3, dtype=np.float32), (count, 1, 1))
    return Crops(pixels, matrices, "arcface-112", Status((None,) * count))


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_any_engine_gives_the_embeddings_of_torch(run, exported, engine):
    backbone = read_run(run).backbone
    given = crops()
    planes = normalise(torch.from_numpy(np.array(given.pixels)), backbone.contract)
    # 112 pixels to the 32 of the network
    with torch.no_grad():
        values = backbone(
            torch.nn.functional.interpolate(planes, size=(32, 32), mode="bilinear", antialias=True)
        ).numpy()
    wanted = values / np.linalg.norm(values, axis=1, keepdims=True)
    options = EngineOptions(engine=engine, precision="fp32", threads=1)
    found = create_embedder(str(exported.path), engine=options).embed(given)
    np.testing.assert_allclose(found.vectors, wanted, atol=2e-5)
    assert exported.parity < 1e-5


def test_a_file_says_nothing_of_the_machine_that_made_it(exported):
    data = exported.path.read_bytes()
    assert str(Path(torch.__file__).parents[1]).encode() not in data and b".py" not in data


@pytest.mark.parametrize(("storage", "least"), [("fp16", 0.999999), ("int8", 0.999)])
def test_weights_in_fewer_bytes_are_made_whole_when_they_are_loaded(run, exported, tmp_path, storage, least):
    stored = export_run(read_run(run), tmp_path / "a.onnx", licence="MIT", storage=storage)
    assert stored.path.stat().st_size < exported.path.stat().st_size and stored.card.rewrites[0] == "dequantise"
    given, options = crops(), EngineOptions(precision="fp32", threads=1)
    one, two = (create_embedder(str(made.path), engine=options).embed(given).vectors for made in (stored, exported))
    cosines = (one * two).sum(axis=1)
    assert least < cosines.min() and stored.kept > least and stored.parity < 1e-5
    assert any(storage in note for note in stored.card.notes)


def test_the_card_says_what_the_weights_are(exported):
    card = json.loads(exported.path.with_name("mine.onnx.card.json").read_text())
    assert card["sha256"] == exported.card.sha256 and card["licence"] == "MIT" and card["use"] == "research"
    assert card["trained_on"] == "a set of its own: 30 crops of 6 people"
    assert card["contract"]["size"] == [112, 112] and card["dimension"] == 16
    assert "loss/cosface" in card["notes"][0] and "moving average" in card["notes"][0]


def test_a_changed_file_is_not_loaded(exported, tmp_path):
    path = tmp_path / "mine.onnx"
    path.write_bytes(exported.path.read_bytes() + b"\0")
    path.with_name("mine.onnx.card.json").write_bytes(exported.path.with_name("mine.onnx.card.json").read_bytes())
    with pytest.raises(ModelError, match="sha256"):
        create_embedder(str(path), engine=EngineOptions.default())


def test_research_weights_are_refused_under_the_commercial_policy(exported):
    with pytest.raises(ModelError, match="research only"):
        create_embedder(str(exported.path), engine=EngineOptions.default(), policy="commercial")


def test_the_averaged_weights_of_the_best_checkpoint_are_taken(run):
    best = torch.load(run / "checkpoints" / "best.pt", weights_only=True)
    trained = read_run(run)
    name = "conv_sep.layers.0.weight"
    assert trained.averaged and trained.step == best["step"]
    assert torch.equal(trained.backbone.state_dict()[name], best["average"]["values"][f"backbone.{name}"])
    assert not torch.equal(best["task"][f"backbone.{name}"], best["average"]["values"][f"backbone.{name}"])
    assert read_run(run, which="last").step == 4


def test_what_cannot_be_exported_is_refused_and_leaves_nothing(run, tmp_path, monkeypatch):
    trained = read_run(run)
    with pytest.raises(UsageError, match=r"NAME\.onnx"):
        export_run(trained, tmp_path / "a.pt", licence="MIT")
    known = {**trained.record, "train": [{**trained.record["train"][0], "set": "celeba_ids"}]}
    with pytest.raises(UsageError, match="research only"):
        export_run(dataclasses.replace(trained, record=known), tmp_path / "a.onnx", licence="MIT", use="any")
    with pytest.raises(UsageError, match="best or last"):
        read_run(run, which="first")
    with pytest.raises(ModelError, match="no run of visavis train"):
        read_run(tmp_path)
    with monkeypatch.context() as strict:
        strict.setattr(export, "LEAST_COSINE", 1.1)
        with pytest.raises(ModelError, match="another --storage"):
            export_run(trained, tmp_path / "a.onnx", licence="MIT", storage="int8")
    with pytest.raises(UsageError, match="fp32, fp16, int8"):
        export_run(trained, tmp_path / "a.onnx", licence="MIT", storage="int2")
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(ModelError, match="differs from torch"):
        export_run(trained, tmp_path / "b.onnx", licence="MIT")
    assert not list(tmp_path.iterdir())


def test_a_calibration_beside_the_file_is_used_in_its_own_space_only(exported, tmp_path):
    from visavis.calibration.table import shipped

    path = tmp_path / "mine.onnx"
    for name in ("mine.onnx", "mine.onnx.card.json"):
        (tmp_path / name).write_bytes(exported.path.with_name(name).read_bytes())
    pipeline = Pipeline(model=path)
    with pytest.raises(ModelError, match="no calibration"):
        pipeline.calibration()
    fitted = dataclasses.replace(shipped(Pipeline().space.fingerprint), space=pipeline.space.fingerprint, name="beside")
    (tmp_path / "mine.onnx.calibration.json").write_text(json.dumps(fitted.to_dict()))
    assert Pipeline(model=path).calibration().name == "beside"
    with pytest.raises(ModelError, match="no calibration"):
        Pipeline(model=path, flip=True).calibration()


def test_packs_of_another_size_follow_the_same_points():
    assert template_of("arcface-56").name == "arcface-112"
    with pytest.raises(ModelError, match="no template"):
        template_of("other-96")


def test_the_record_of_the_data_names_people_and_roles():
    part = {"set": "celeba_ids", "crops": 90, "identities": 9, "roles": {"train": 8, "unlisted": 1}}
    assert trained_on({"train": [part]}) == "celeba_ids: 90 crops of 9 people (8 of role train)"


def test_a_released_checkpoint_is_exported_under_its_own_terms(tmp_path):
    from visavis import registry
    from visavis.nn.checkpoints.keys import to_released
    from visavis.nn.checkpoints.load import load_released
    from visavis.training.recipes.export import export_released

    torch.manual_seed(0)
    torch.save(to_released(registry.create("backbone/mobilefacenet")), tmp_path / "backbone.pth")
    released = load_released(tmp_path / "backbone.pth", "insightface")
    made = export_released(released, tmp_path / "mbf.onnx")
    assert made.parity < 1e-4 and made.card.use == "research" and released.sha256 in made.card.notes[0]
    assert made.card.licence == released.layout.licence and made.card.contract.template == "arcface-112"


@pytest.mark.parametrize("name", ["backbone/light-cnn-4", pytest.param("backbone/vit-t", marks=pytest.mark.slow)])
def test_grey_networks_and_transformers_are_exported_with_parity(name, tmp_path):
    from visavis import registry

    torch.manual_seed(0)
    backbone = registry.create(name).eval()
    terms = export.Terms("MIT", "any", "nothing")
    made = export.export_backbone(backbone, tmp_path / "x.onnx", terms, template=backbone.contract.template)
    assert made.parity < 1e-5 and made.card.contract.colour == backbone.contract.colour


def test_nobody_is_reported_on_who_was_trained_on(exported, tmp_path):
    from visavis.protocols.ledger import Ledger
    from visavis.training.recipes.measure import calibrate_export, evaluate_export

    entries = Ledger.load().entries
    fitted = [name for (group, name), role in entries.items() if (group, role) == ("lfw", "calibrate")][:4]
    lines = [f"{one}/1.jpg,{one}/2.jpg,1,0,{one},{one}" for one in fitted]
    (tmp_path / "pairs.csv").write_text("\n".join(["image1,image2,same,fold,person1,person2", *lines]))
    known = dataclasses.replace(exported, people=frozenset({("lfw", fitted[0]), (None, "somebody")}))
    with pytest.raises(UsageError, match="1 people are fitted on and reported on"):
        evaluate_export(known, tmp_path / "pairs.csv", tmp_path / "renamed")
    for name in fitted:
        (tmp_path / "lfw" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "lfw" / name / "1.png")
    with pytest.raises(UsageError, match="1 people are fitted on and reported on"):
        calibrate_export(known, tmp_path / "lfw", population="nobody")
