"""A new network in the space of an old one: stages, what rests, the card, and templates of both compared."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from recogniser_task import patterns
from test_training_recogniser import RECIPE, TINY

from visavis.data.pack import Pack
from visavis.errors import ModelError, SpaceError, UsageError
from visavis.pipeline.models import create_embedder
from visavis.recognition.compact import CompactTemplates
from visavis.runtime.session import EngineOptions
from visavis.training.recipes.export import export_run
from visavis.training.recipes.harmonic import harmonic_stages
from visavis.training.recipes.part import Part
from visavis.training.recipes.recipe import RecogniserRecipe
from visavis.training.recipes.run import train_recogniser
from visavis.training.recipes.seen import read_people
from visavis.training.recipes.start import Start, begin, rest
from visavis.training.recipes.trained import read_run
from visavis.types import Crops, Status, require_comparable

LAST = ("head",)
PEOPLE, EACH = 6, 5


def crops(people, each, *, seed):
    """Patterns at the 112 pixels of the inference road, and whom each shows."""
    pixels, names = patterns(people, each, seed=seed)
    return np.kron(pixels, np.ones((1, 4, 4, 1), np.uint8))[:, 8:120, 8:120], names


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An old network, exported; a new one of its own; and the new one after the two stages, exported."""
    folder = tmp_path_factory.mktemp("harmonic")
    pack = Pack.write(folder / "train", *crops(PEOPLE, EACH, seed=1))
    train_recogniser(RECIPE, pack, out=folder / "old")
    old = export_run(read_run(folder / "old"), folder / "old.onnx", licence="MIT")
    other = dataclasses.replace(RECIPE, training=dataclasses.replace(RECIPE.training, seed=7))
    train_recogniser(other, pack, out=folder / "new")
    stages = harmonic_stages(other, old=str(old.path), run=folder / "new", first=folder / "first", last=LAST)
    for name, stage in zip(("first", "second"), stages, strict=True):
        train_recogniser(stage, pack, out=folder / name)
    new = export_run(read_run(folder / "second"), folder / "harmonic.onnx", licence="MIT")
    return folder, old, new


def embedded(exported, pixels):
    matrices = np.tile(np.eye(2, 3, dtype=np.float32), (len(pixels), 1, 1))
    crops = Crops(pixels, matrices, "arcface-112", Status.good(len(pixels)), "given")
    return create_embedder(str(exported.path), engine=EngineOptions.default()).embed(crops)


def test_the_first_stage_changes_the_last_layer_only_and_the_second_all(made):
    folder = made[0]
    new, first, second = (read_run(folder / name).backbone.state_dict() for name in ("new", "first", "second"))
    changed = {name for name in new if not torch.equal(new[name], first[name])}
    assert changed and all(name.startswith("head.") for name in changed)
    assert any(not torch.equal(first[name], second[name]) for name in first if not name.startswith("head."))
    assert any("running_mean" in name and not torch.equal(first[name], second[name]) for name in first)


def test_templates_of_the_new_network_may_be_compared_with_those_of_the_old(made):
    _, old, new = made
    large, _ = crops(3, 2, seed=3)
    before, after = (embedded(one, large) for one in (old, new))
    assert new.card.compatible_with == (old.card.sha256,) and old.card.compatible_with == ()
    require_comparable(after, before), require_comparable(before, after)
    with pytest.raises(SpaceError, match="recogniser"):
        dataclasses.replace(after.space, compatible=()).require_comparable(before.space)
    with pytest.raises(SpaceError, match="joined"):
        type(after).concat([after, before])
    codes = CompactTemplates.of(after).similarity(CompactTemplates.of(before))
    assert np.abs(codes - after.vectors @ before.vectors.T).max() < 0.03


def test_the_card_and_the_record_say_so(made):
    folder, old, new = made
    card = json.loads(new.path.with_name("harmonic.onnx.card.json").read_text())
    assert card["compatible_with"] == [old.card.sha256] and "harmonic triplets" in card["notes"][-1]
    record = json.loads((folder / "second/run.json").read_text())
    plain = {**record["recipe"], "training": RECIPE.to_record()["training"]}
    assert RecogniserRecipe.from_record(plain).start == Start(str(folder / "first"))


def test_whom_the_first_run_saw_the_later_one_has_seen(made, tmp_path):
    folder = made[0]
    others = Pack.write(tmp_path / "others", *crops(4, 6, seed=9))
    recipe = dataclasses.replace(RECIPE, start=Start(str(folder / "new")))
    train_recogniser(recipe, others, out=tmp_path / "run")
    seen = {name for group in read_people(tmp_path / "run") for name in group["identities"]}
    assert seen == {*others.identities, *Pack.open(folder / "train").identities}
    assert len(read_run(tmp_path / "run").people) == PEOPLE + 4


def test_a_start_that_does_not_fit_is_refused(made, tmp_path):
    folder = made[0]
    for start, kind, words in (
        (Start(str(tmp_path)), ModelError, "no run"),
        (Start(str(folder / "new"), anew=("fc",)), UsageError, r"no part 'fc' .* head"),
    ):
        with pytest.raises(kind, match=words):
            begin(TINY.build("backbone"), start)
    with pytest.raises(UsageError, match="no part 'outp'"):
        rest(TINY.build("backbone"), Start(str(folder / "new"), only=("outp",)))
    wider = Part(TINY.name, {**TINY.options, "dimension": 8}).build("backbone")
    with pytest.raises(UsageError, match="another backbone"):
        begin(wider, Start(str(folder / "new")))
    with pytest.raises(ModelError, match="people"):
        read_people(tmp_path)
