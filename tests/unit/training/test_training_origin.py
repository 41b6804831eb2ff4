"""What a run began with: minded when it is validated, told on its card, and not needed to go on."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from recogniser_task import patterns
from test_training_recogniser import RECIPE

from visavis.data.pack import Pack
from visavis.errors import ModelError, UsageError
from visavis.recognition.default_card import SFACE
from visavis.training.recipes.export import export_run
from visavis.training.recipes.harmonic import harmonic_stages
from visavis.training.recipes.origin import origins, weights_sha256
from visavis.training.recipes.run import train_recogniser
from visavis.training.recipes.seen import Seen, read_people
from visavis.training.recipes.sharded import Sharded
from visavis.training.recipes.start import Start
from visavis.training.recipes.trained import read_run


def begun(run, **more):
    return dataclasses.replace(RECIPE, start=Start(str(run), **more))


def longer(recipe, steps):
    return dataclasses.replace(recipe, training=dataclasses.replace(recipe.training, steps=steps))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Packs of five sets of people; runs on the first, from there on the second, and from there on the third."""
    folder = tmp_path_factory.mktemp("origin")
    packs = {name: Pack.write(folder / name, *patterns(4, 4, seed=seed)) for seed, name in enumerate("abcde")}
    train_recogniser(RECIPE, packs["a"], develop=packs["d"], out=folder / "first")
    train_recogniser(begun(folder / "first"), packs["b"], develop=packs["d"], out=folder / "second")
    train_recogniser(begun(folder / "second"), packs["c"], out=folder / "third")
    return folder, packs


def as_before(run, out):
    """A copy of a run as it was written before it told what it began with."""
    shutil.copytree(run, out)
    (out / "crops.npy").unlink()
    people = [{key: row[key] for key in ("set", "identities")} for row in json.loads((out / "people.json").read_text())]
    (out / "people.json").write_text(json.dumps(people))
    record = json.loads((out / "run.json").read_text())
    record.pop("began", None)
    (out / "run.json").write_text(json.dumps(record))
    return out


@pytest.mark.parametrize("name", ["a", "b"])
def test_crops_of_any_run_of_the_chain_are_not_chosen_on(made, tmp_path, name):
    folder, packs = made
    with pytest.raises(UsageError, match=r"16 crops of .* begins"):
        train_recogniser(begun(folder / "second"), packs["c"], develop=packs[name], out=tmp_path / "run")
    half = Pack.write(tmp_path / "half", np.asarray(packs[name].pixels[:5]), list("vwxyz"))
    with pytest.raises(UsageError, match="5 crops"):
        train_recogniser(begun(folder / "second"), packs["c"], develop=half, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_a_start_was_chosen_on_may_be_chosen_on_again(made):
    folder, _ = made
    uses = [row["use"] for row in read_people(folder / "second")]
    assert uses == ["trained", "chosen", "trained", "chosen"]
    crops = Seen.read(folder / "second").crops
    assert np.array_equal(crops, np.unique(np.concatenate([made[1][name].digests for name in "ab"])))


def test_a_name_of_a_known_set_is_not_chosen_on_where_a_start_was_trained_on_it(made):
    _, packs = made
    group = {"set": "mine", "identities": [packs["e"].identities[0]], "use": "trained", "pack": None}
    develop = dataclasses.replace(packs["e"], meta=dataclasses.replace(packs["e"].meta, set_name="mine"))
    with pytest.raises(UsageError, match="1 people are fitted on"):
        Seen((group,)).require_apart(develop)
    Seen(({**group, "use": "chosen"},)).require_apart(develop)
    Seen(({**group, "set": None},)).require_apart(develop)


def test_runs_that_did_not_tell_count_as_trained_on_all_but_their_own_choice(made, tmp_path):
    folder, packs = made
    old = as_before(folder / "second", tmp_path / "old")
    assert [row["use"] for row in read_people(old)] == ["trained", "chosen", "trained", "trained"]
    with pytest.raises(UsageError, match="16 crops"):
        train_recogniser(begun(old), packs["c"], develop=packs["b"], out=tmp_path / "run")
    train_recogniser(begun(old), packs["c"], develop=packs["d"], out=tmp_path / "run")
    export_run(read_run(as_before(folder / "first", tmp_path / "plain")), tmp_path / "plain.onnx", licence="MIT")
    (tmp_path / "run/crops.npy").write_bytes(b"cut")
    with pytest.raises(ModelError, match="whole run"):
        Seen.read(tmp_path / "run")


def test_the_record_holds_the_chain_with_steps_and_hashes(made):
    folder, _ = made
    nearest, farthest = origins(read_run(folder / "third").record)
    for begun_with, name in ((nearest, "second"), (farthest, "first")):
        earlier = read_run(folder / name)
        assert begun_with["run"] == str(folder / name) and begun_with["step"] == earlier.step
        assert begun_with["sha256"] == weights_sha256(earlier.backbone)
        assert begun_with["train"] == earlier.record["train"]
    changed = read_run(folder / "first").backbone
    next(changed.parameters()).data.view(-1)[0] += 1
    assert weights_sha256(changed) != farthest["sha256"]


def test_the_card_tells_of_the_whole_chain_and_its_terms_hold(made, tmp_path):
    folder, _ = made
    trained = read_run(folder / "third")
    exported = export_run(trained, tmp_path / "x.onnx", licence="MIT", use="any")
    assert "run second at step 3" in exported.card.notes[2] and "run first" in exported.card.notes[3]
    record = json.loads(json.dumps(dict(trained.record)))
    record["began"]["began"]["train"][0]["set"] = "celeba_ids"
    record["began"]["teacher"] = {"model": "embedder/x", "licence": "none", "sha256": "0" * 64, "use": "research"}
    research = dataclasses.replace(trained, record=record)
    with pytest.raises(UsageError, match=r"made of embedder/x, celeba_ids are for research only"):
        export_run(research, tmp_path / "y.onnx", licence="MIT", use="any")
    card = export_run(research, tmp_path / "y.onnx", licence="MIT").card
    assert "celeba_ids: 16 crops" in card.trained_on and any("A teacher of those weights" in one for one in card.notes)


def test_an_older_record_of_a_start_is_looked_up_and_allows_little_where_it_is_gone(made, tmp_path):
    folder, _ = made
    trained = read_run(folder / "second")
    record = {key: value for key, value in trained.record.items() if key != "began"}
    assert origins(record)[0]["train"] == read_run(folder / "first").record["train"]
    gone = json.loads(json.dumps(record))
    gone["recipe"]["start"]["run"] = str(tmp_path / "gone")
    with pytest.raises(UsageError, match="nothing is known"):
        export_run(dataclasses.replace(trained, record=gone), tmp_path / "x.onnx", licence="MIT", use="any")
    card = export_run(dataclasses.replace(trained, record=gone), tmp_path / "x.onnx", licence="MIT").card
    assert card.trained_on.endswith("; unknown") and "of unknown data" in card.notes[2]


def test_a_slimmed_network_carries_the_terms_of_what_it_was(made, tmp_path):
    trained = read_run(made[0] / "first")
    record = json.loads(json.dumps(dict(trained.record)))
    record["recipe"]["start"] = {"run": "", "anew": [], "only": [], "slim": 600}
    card = export_run(dataclasses.replace(trained, record=record), tmp_path / "x.onnx", licence="MIT").card
    assert card.trained_on.endswith(f"; {SFACE.name}: {SFACE.trained_on}")
    assert SFACE.name in card.notes[2] and SFACE.licence in card.notes[2] and SFACE.sha256[:12] in card.notes[2]


def test_a_run_goes_on_without_the_folder_of_its_start_and_ends_alike(made, tmp_path):
    folder, packs = made
    shutil.copytree(folder / "first", tmp_path / "start")
    recipe = begun(tmp_path / "start", only=("head",))
    whole = train_recogniser(longer(recipe, 4), packs["b"], out=tmp_path / "whole")
    assert whole.step == 4

    def stop(report):
        if report.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_recogniser(longer(recipe, 4), packs["b"], out=tmp_path / "cut", observe=stop)
    people = (tmp_path / "cut/people.json").read_bytes()
    (tmp_path / "start").rename(tmp_path / "gone")
    train_recogniser(longer(recipe, 4), packs["b"], out=tmp_path / "cut", resume=True)
    assert (tmp_path / "cut/people.json").read_bytes() == people
    one, two = (read_run(tmp_path / name).backbone.state_dict() for name in ("whole", "cut"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    first = read_run(folder / "first").backbone.state_dict()
    assert all(torch.equal(first[name], two[name]) for name in first if not name.startswith("head."))


def test_harmonic_stages_have_no_classifier():
    recipe = dataclasses.replace(RECIPE, classifier=Sharded())
    stages = harmonic_stages(recipe, old="old.onnx", run="run", first="first", last=("head",))
    assert [stage.classifier for stage in stages] == [None, None]
