"""The Task of recognizability, and its way from a folder of tiny faces to a quality measure."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from recogniser_task import patterns
from test_training_recogniser import RECIPE, TINY, batch, state
from torch.nn import functional as F

from visavis import registry
from visavis.data.degradation.unrecognisable import make_unrecognisable
from visavis.data.pack import Pack
from visavis.errors import UsageError
from visavis.nn.pixels import network_input
from visavis.pipeline.models import create_embedder
from visavis.quality.extra import extra_scorers
from visavis.runtime.session import EngineOptions
from visavis.training.checkpoints import load_checkpoint
from visavis.training.recipes.export import export_run
from visavis.training.recipes.recipe import RecogniserRecipe
from visavis.training.recipes.recognizability import Recognizability
from visavis.training.recipes.recognizability_task import RecognizabilityTask
from visavis.training.recipes.run import train_recogniser
from visavis.training.recipes.start import Start, begin
from visavis.training.recipes.trained import read_run
from visavis.types import Crops, Status

HOW = Recognizability(images=8, dropout=0.0, limit=10.0)
FACES = np.random.default_rng(5).integers(0, 256, (8, 32, 32, 3), np.uint8)


def task(how=HOW, **changes):
    torch.manual_seed(0)
    network = how.network(TINY.build("backbone"))
    loss = registry.create("loss/cosface", dimension=16, classes=4, scale=16.0)
    return RecognizabilityTask(network, loss, how=how, faces=FACES, seed=1, **changes)


def test_unrecognisable_images_keep_the_brightness_and_nothing_else():
    crops = np.random.default_rng(0).integers(0, 256, (6, 112, 112, 3), np.uint8)
    made = make_unrecognisable(crops, seed=3)
    assert made.shape == crops.shape and made.dtype == np.uint8
    np.testing.assert_array_equal(made, make_unrecognisable(crops, seed=3))
    np.testing.assert_array_equal(made[:2], make_unrecognisable(crops[:2], seed=3))
    assert (made != make_unrecognisable(crops, seed=4)).any()
    steps = [np.abs(np.diff(some.astype(float), axis=2)).mean() for some in (made, crops)]
    assert steps[0] < 0.03 * steps[1] and abs(made.mean() - crops.mean()) < 8


def test_the_losses_are_those_counted_from_the_network():
    made, given = task(), batch()
    found = made.step(given, state())
    network = made.network
    rows = torch.randint(8, (2,), generator=torch.Generator().manual_seed(0)).numpy()
    nothing = network_input(torch.from_numpy(make_unrecognisable(FACES, seed=1)[rows]), network.contract)
    guessed = network.index_alone(nothing)
    images = network_input(torch.from_numpy(given.pixels), network.contract)
    seen = network.features(images, taps=("base", "index"))
    labels = torch.from_numpy(given.labels)
    cosine = F.normalize(seen["base"]) @ F.normalize(made.loss.weight).T
    away = 1 - F.normalize(seen["base"]) @ network.ui.center
    own = cosine[torch.arange(8), labels]
    others = cosine.masked_fill(F.one_hot(labels, 4).bool(), -2).amax(1)
    target = (away * (1 - others) / (1 - own + 1e-3)).clamp(0, 10).detach()
    wanted = F.smooth_l1_loss(seen["index"], target, beta=0.75) + F.smooth_l1_loss(guessed, torch.zeros(2), beta=0.75)
    torch.testing.assert_close(found["regression"], wanted)
    hinge = (3 - (seen["index"] - guessed.mean()) / network.ui.ri_std.clamp_min(1e-3)).clamp_min(0).mean()
    torch.testing.assert_close(found["diversion"], hinge)
    both = torch.cat([seen["embedding"], seen["base"]])
    torch.testing.assert_close(found["loss"], made.loss(both, labels.repeat(2)))
    assert set(made.parameter_groups()) == {"backbone", "recognizability", "head"}
    trained = [id(weight) for group in made.parameter_groups().values() for weight in group]
    assert sorted(trained) == sorted(id(weight) for weight in made.parameters())


def test_the_target_of_the_rejection_gets_no_gradient_and_the_prototypes_none_from_the_index():
    made, given = task(), batch()
    found = made.step(given, state())
    found["rejection"].backward(retain_graph=True)
    assert made.network.attn.fc.weight.grad is not None and made.loss.weight.grad is None
    found["regression"].backward(retain_graph=True)
    assert made.loss.weight.grad is None


@pytest.mark.parametrize(("reach", "reached"), [("regressor", False), ("network", True)])
def test_the_guess_teaches_the_network_only_where_that_is_asked_for(reach, reached):
    made = task(dataclasses.replace(HOW, reach=reach))
    found = made.step(batch(), state())
    (found["regression"] + found["diversion"]).backward()
    assert made.network.regressor.fc.weight.grad.any() and made.network.attn.fc.weight.grad is None
    assert any(weight.grad is not None for weight in made.network.backbone.parameters()) is reached
    with pytest.raises(UsageError, match="regressor, network"):
        dataclasses.replace(HOW, reach="nobody").network(TINY.build("backbone"))


def test_raising_all_guesses_alike_gains_nothing():
    made = task()
    made.step(batch(), state())["diversion"].backward()
    assert abs(made.network.regressor.fc.bias.grad.item()) < 1e-5 < made.network.regressor.fc.weight.grad.abs().max()


def test_crops_without_a_label_learn_no_index_and_take_part_in_the_rest():
    made = task()
    given = dataclasses.replace(batch(), labels=np.full(8, -1))
    found = made.step(given, state())
    assert float(found["loss"].detach()) == 0 and float(found["diversion"].detach()) > 0
    assert all(value.isfinite() for value in found.values())


def test_statistics_are_taken_again_when_an_epoch_begins():
    made = task(dataclasses.replace(HOW, refresh=0.5))
    due = []
    for step in range(9):  # four steps an epoch
        due.append(made._is_due(dataclasses.replace(state(step / 4), step=step)))
    assert due == [True, False, True, False, True, False, True, False, True]


def test_what_does_not_go_together_is_refused():
    torch.manual_seed(0)
    with pytest.raises(UsageError, match="cosine head"):
        RecognizabilityTask(
            HOW.network(TINY.build("backbone")), registry.create("loss/triplet"), how=HOW, faces=FACES, seed=0
        )
    with pytest.raises(UsageError, match="another name"):
        task(terms={"rejection": (registry.create("loss/triplet"), 1.0)})
    for wrong in ({"tau": 0.0}, {"images": 1}, {"regression": -1.0}, {"squash": "sigmoid"}, {"limit": 0.0}):
        with pytest.raises(UsageError):
            Recognizability(**wrong)
    with pytest.raises(UsageError, match="leave symmetry"):
        RecogniserRecipe.from_record({**RECIPE.to_record(), "recognizability": {}, "classifier": {}})


class Stop(Exception):
    """Ends a run in the middle."""


def tiny_face(folder, people=6, pictures=5):
    """A folder in the shape of TinyFace: names of files are ``<identity>_<number>``."""
    rng = np.random.default_rng(0)
    shares = {"Gallery_Match": 2, "Probe": 2, "Gallery_Distractor": 1}
    number = 0
    for name, count in shares.items():
        (folder / name).mkdir(parents=True)
        for person in range(people):
            pattern = np.random.default_rng(person + 1).uniform(0, 255, (4, 4, 3))
            for _ in range(count):
                pixels = np.kron(pattern, np.ones((8, 8, 1))) + rng.normal(0, 25, (32, 32, 3))
                who = -100 if name == "Gallery_Distractor" else person
                Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / name / f"{who}_{number}.png")
                number += 1
    return folder


def test_from_tiny_faces_to_a_measure_of_quality_through_a_run_that_was_cut_off(tmp_path):
    pack = Pack.write(tmp_path / "train", *patterns(6, 6, seed=1))
    first = dataclasses.replace(RECIPE, training=dataclasses.replace(RECIPE.training, steps=2))
    train_recogniser(first, pack, out=tmp_path / "before")
    recipe = dataclasses.replace(
        RECIPE,
        recognizability=HOW,
        start=Start(run=str(tmp_path / "before")),
        training=dataclasses.replace(RECIPE.training, steps=None, epochs=2.0, checkpoint_every=1),
    )
    assert RecogniserRecipe.from_record(recipe.to_record()) == recipe
    whole = train_recogniser(recipe, pack, out=tmp_path / "whole")

    def stop(report):
        if report.step == 3:
            raise Stop

    with pytest.raises(Stop):
        train_recogniser(recipe, pack, out=tmp_path / "cut", observe=stop)
    again = train_recogniser(recipe, pack, out=tmp_path / "cut", resume=True)
    states = [load_checkpoint(one.checkpoint)["task"] for one in (whole, again)]
    assert states[0].keys() == states[1].keys() and any("ui.center" in key for key in states[0])
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())

    kept = load_checkpoint(whole.checkpoint)
    read = read_run(tmp_path / "whole", which="last").backbone.state_dict()
    assert len(kept["settled"]) == 4
    for key, value in kept["settled"].items():
        assert torch.equal(value, read[key.removeprefix("backbone.")])
    assert not torch.equal(kept["settled"]["backbone.ui.ri_mean"], kept["task"]["backbone.ui.ri_mean"])

    with pytest.raises(UsageError, match="trained with recognizability"):
        begin(TINY.build("backbone"), Start(run=str(tmp_path / "whole")))
    exported = export_run(read_run(tmp_path / "whole"), tmp_path / "tiny.onnx", licence="MIT")
    embedder = create_embedder(str(exported.path), engine=EngineOptions(threads=1))
    assert embedder.tells == ("recognizability",) and "recognizability" in extra_scorers(embedder)
    folder = tiny_face(tmp_path / "tinyface")
    sides = {}
    for name in ("Gallery_Match", "Probe", "Gallery_Distractor"):
        paths = sorted((folder / name).iterdir())
        pixels = np.stack([np.asarray(Image.open(path).resize((112, 112))) for path in paths])
        matrices = np.tile(np.eye(2, 3, dtype=np.float32), (len(paths), 1, 1))
        failed = Status((None,) * len(paths))
        templates, told = embedder.tell(Crops(pixels, matrices, "arcface-112", failed))
        network = read_run(tmp_path / "whole").backbone
        with torch.no_grad():
            wanted = network.features(
                network_input(torch.from_numpy(pixels), network.contract), taps=("recognizability",)
            )
        np.testing.assert_allclose(told["recognizability"], wanted["recognizability"].numpy(), atol=1e-3, rtol=1e-3)
        sides[name] = templates.vectors, np.array([path.stem.split("_")[0] for path in paths])
    gallery = np.concatenate([sides["Gallery_Match"][0], sides["Gallery_Distractor"][0]])
    whose = np.concatenate([sides["Gallery_Match"][1], sides["Gallery_Distractor"][1]])
    assert 0 <= np.mean(whose[(sides["Probe"][0] @ gallery.T).argmax(axis=1)] == sides["Probe"][1]) <= 1


def test_the_scale_is_measured_on_the_final_weights_and_training_does_not_see_it():
    made = task()
    made.step(batch(), state())
    before = {name: value.clone() for name, value in made.network.ui.state_dict().items()}
    with torch.no_grad():
        made.network.regressor.fc.weight.mul_(3)
    found = made.settled()
    assert all(torch.equal(value, before[name]) for name, value in made.network.ui.state_dict().items())
    assert not torch.equal(found["backbone.ui.ri_mean"], before["ri_mean"])
    made.eval()
    parts = (torch.from_numpy(some) for some in (make_unrecognisable(FACES, seed=1), FACES))
    with torch.no_grad():
        bad, good = (made.network.ri(network_input(part, made.network.contract)) for part in parts)
    torch.testing.assert_close(found["backbone.ui.ri_mean"], bad.mean())
    torch.testing.assert_close(found["backbone.ui.ri_best"], good.quantile(0.95))
