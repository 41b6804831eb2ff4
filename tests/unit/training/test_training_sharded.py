"""A recogniser in two processes against one: plain and sharded losses, checkpoints, the command."""

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from recogniser_task import patterns
from split_recogniser import SETTINGS, train_split

from process_group import together
from visavis.cli.train import _one_speaks
from visavis.data.pack import Pack
from visavis.errors import ModelError, UsageError
from visavis.training.checkpoints import load_checkpoint, newest_checkpoint, save_checkpoint
from visavis.training.group import Group
from visavis.training.optimisers import Sgd
from visavis.training.recipes.export import export_run
from visavis.training.recipes.part import Part
from visavis.training.recipes.prediction import read_classifier
from visavis.training.recipes.read import read_recipe, write_recipe
from visavis.training.recipes.recipe import RecogniserRecipe
from visavis.training.recipes.run import train_recogniser
from visavis.training.recipes.sharded import Sharded
from visavis.training.recipes.symmetry import Symmetry
from visavis.training.recipes.trained import read_run
from visavis.training.schedules import Constant
from visavis.training.settings import MovingAverage, Settings

CASES = {
    "plain": ("loss/cosface", {"scale": 8.0}, None),
    "sharded": ("loss/arcface", {"scale": 8.0}, Sharded()),
    "filtered": ("loss/cosface", {"scale": 8.0}, Sharded(filter=0.4)),
    "drawn": ("loss/elastic-arc-plus", {"scale": 8.0}, Sharded()),
    "statistics": ("loss/adaface", {"scale": 8.0}, Sharded()),
    "softmax": ("loss/softmax", {}, Sharded()),
    "pairs": ("loss/supervised-contrastive", {}, None),
    "negatives": ("loss/unpg", {"head_options": {"scale": 8.0}}, None),
}


STEPS = {case: 50 if case in ("plain", "sharded") else 5 for case in CASES}


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packs")
    Pack.write(folder / "develop", *patterns(4, 4, seed=2))
    Pack.write(folder / "large", *patterns(9, 6, seed=1))
    return folder


def run(rank, folder, out, case, changes, resume=False, stop=None):
    """Losses, and the centres of this process, of the smooth recogniser."""
    name, options, how = CASES[case]
    losses = []

    def observe(report):
        losses.append(dict(report.losses))
        if report.step == stop:
            raise Died

    loss = train_split(
        folder / "large",
        out,
        loss=name,
        options=options,
        how=how,
        symmetry=Symmetry(threshold=0.0, weight=0.1) if case == "plain" else None,
        settings=replace(SETTINGS, average=MovingAverage(0.9), **changes),
        resume=resume,
        observe=observe,
    )
    head = getattr(loss, "head", loss)
    return losses, head.weight.detach().numpy() if hasattr(head, "weight") else None


class Died(Exception):
    pass


CHOSEN = {"steps": 12, "checkpoint_every": 4, "keep": 3}


def _work(rank, folder, out):
    """All that two processes do, in one start of them."""
    found = {"curves": [run(rank, folder, out / f"{case}-two", case, {"steps": n}) for case, n in STEPS.items()]}
    with pytest.raises(Died):
        run(rank, folder, out / "stopped", "sharded", CHOSEN, stop=10)
    packs = {"develop": Pack.open(folder / "develop"), "out": out / "recipe"}
    outcome = train_recogniser(RECIPE, Pack.open(folder / "large"), **packs)
    return {**found, "recipe": (outcome.step, dict(outcome.evaluation))}


@pytest.fixture(scope="module")
def pair(packs, tmp_path_factory):
    """What two processes made, and where."""
    folder = tmp_path_factory.mktemp("pair")
    return together(_work, 2, folder, packs, folder), folder


def test_two_processes_have_the_losses_of_one_for_fifty_steps(packs, pair, tmp_path):
    both = [one["curves"] for one in pair[0]]
    for (case, steps), first, second in zip(STEPS.items(), *both, strict=True):
        one, centres = run(0, packs, tmp_path / case, case, {"steps": steps})
        assert len(one) == steps and first[0] == second[0]
        for step, other in zip(one, first[0], strict=True):
            assert step.keys() == other.keys()
            for name in [name for name in step if not name.startswith("gradient/")]:
                assert step[name] == pytest.approx(other[name], abs=1e-5, rel=1e-5), case
        if CASES[case][2] is not None:
            assert [len(first[1]), len(second[1])] == [5, 4]
            np.testing.assert_allclose(np.concatenate([first[1], second[1]]), centres, atol=1e-5)


def test_a_sharded_run_of_two_goes_on_in_one_and_in_three(packs, pair, tmp_path):
    whole = run(0, packs, tmp_path / "one", "sharded", CHOSEN)
    two = pair[1] / "stopped"
    folder = two / "checkpoints"
    assert len(list(folder.glob("step-*.part-*-of-2.safetensors"))) == 4
    for path in folder.glob("step-000000008*"):
        path.unlink()
    alone = run(0, packs, two, "sharded", CHOSEN, resume=True)
    assert len(alone[0]) == 8 and alone[0][-1]["loss"] == pytest.approx(whole[0][-1]["loss"], abs=1e-5)
    np.testing.assert_allclose(alone[1], whole[1], atol=1e-5)
    for path in folder.glob("step-000000012*"):
        path.unlink()
    back = together(run, 3, tmp_path, packs, two, "sharded", {**CHOSEN, "keep": 1}, True)
    assert len(back[0][0]) == 4 and [len(part[1]) for part in back] == [3, 3, 3]
    np.testing.assert_allclose(np.concatenate([part[1] for part in back]), whole[1], atol=1e-5)
    assert sorted(path.name for path in folder.iterdir()) == [
        *(f"step-000000012.part-{rank}-of-3.safetensors" for rank in range(3)), "step-000000012.pt",
    ]  # fmt: skip


RECIPE = RecogniserRecipe(
    backbone=Part("backbone/mobilefacenet-tiny", {"size": 32, "dimension": 16}),
    loss=Part("loss/cosface", {"scale": 8.0}),
    training=Settings(
        steps=6, optimisers={"*": Sgd(rate=0.01, schedule=Constant())}, tensorboard=False, threads=1, log_every=1
    ),
    batch=12,
    classifier=Sharded(sample_rate=0.7, filter=0.5),
)


def test_a_recipe_with_a_sampled_classifier_is_trained_and_exported_without_its_parts(pair, tmp_path):
    first, second = (one["recipe"] for one in pair[0])
    folder = pair[1] / "recipe"
    assert first == second and first[0] == 6 and 0 <= first[1]["auc"] <= 1
    record = json.loads((folder / "run.json").read_text())
    assert record["processes"] == 2 and record["recipe"]["classifier"] == {"sample_rate": 0.7, "filter": 0.5}
    assert len(json.loads((folder / "classes.json").read_text())) == 9
    kept = load_checkpoint(folder / "checkpoints" / "step-000000006.pt")
    assert not any("weight" in key for key in kept["task"] if key.startswith("loss."))
    for part in (folder / "checkpoints").glob("*.part-*"):
        part.unlink()
    before = sorted(path.name for path in folder.rglob("*"))
    exported = export_run(read_run(folder), tmp_path / "a.onnx", licence="MIT")
    assert exported.parity < 1e-5
    with pytest.raises(ModelError, match="split over processes") as refused:
        read_classifier(folder)
    assert refused.value.reason == "model.refused"
    assert sorted(path.name for path in folder.rglob("*")) == before


def test_a_run_goes_on_from_the_last_checkpoint_that_has_its_parts_and_says_so(packs, tmp_path, caplog):
    chosen = {**CHOSEN, "keep": 3}
    whole = run(0, packs, tmp_path / "run", "sharded", chosen)
    folder = tmp_path / "run" / "checkpoints"
    (folder / "step-000000012.part-0-of-1.safetensors").unlink()
    (folder / "step-000000008.pt").write_bytes(b"torn")
    assert newest_checkpoint(folder)["step"] == 12
    again = run(0, packs, tmp_path / "run", "sharded", {**chosen, "keep": 1}, resume=True)
    assert len(again[0]) == 8 and again[0] == whole[0][4:]
    assert sorted(path.name for path in folder.iterdir()) == [
        "step-000000008.damaged", "step-000000008.part-0-of-1.safetensors", "step-000000012.incomplete",
        "step-000000012.part-0-of-1.safetensors", "step-000000012.pt",
    ]  # fmt: skip
    told = caplog.text
    assert "goes on from step-000000004.pt, step-000000012.pt is now step-000000012.incomplete" in told
    assert "there is no" in told and "cannot be read" in told


def test_who_reads_a_run_takes_no_older_checkpoint_than_the_newest(tmp_path):
    folder = tmp_path
    for step in (3, 6):
        save_checkpoint(folder, step, {"a": 1}, keep=3)
    (folder / "step-000000006.pt").write_bytes(b"torn")
    with pytest.raises(ModelError, match=r"the one before is step-000000003\.pt\. Resume") as damaged:
        newest_checkpoint(folder)
    assert damaged.value.reason == "model.damaged" and len(list(folder.iterdir())) == 2
    assert newest_checkpoint(tmp_path / "nothing") is None


def test_ctrl_c_is_told_by_the_first_process_alone(monkeypatch):
    second = Group()
    second.rank = 1
    for group, ended in ((Group(), KeyboardInterrupt), (second, SystemExit)):
        monkeypatch.setattr("visavis.training.group.joined", lambda device, group=group: nullcontext(group))
        with pytest.raises(ended) as stopped, _one_speaks(lambda: RECIPE, None):
            raise KeyboardInterrupt
    assert stopped.value.code == 130


def test_a_recipe_says_how_its_classifier_is_split(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(write_recipe(RECIPE))
    assert "sample_rate: 0.7" in path.read_text() and read_recipe(path) == RECIPE
    for rate in (2.0, 0.0, True):
        with pytest.raises(UsageError, match="at most 1"):
            Sharded(sample_rate=rate)
    pack = Pack.write(tmp_path / "pack", *patterns(4, 4, seed=2))
    for loss, message in (("loss/triplet", "has no classes"), ("loss/centre", "cannot be split")):
        with pytest.raises(UsageError, match=message):
            train_recogniser(replace(RECIPE, loss=Part(loss)), pack, out=tmp_path / "run")


@pytest.mark.slow
def test_the_command_trains_in_processes_of_torchrun_and_one_of_them_speaks(packs, tmp_path):
    (tmp_path / "mine.yaml").write_text(write_recipe(RECIPE))
    words = ["train", str(tmp_path / "mine.yaml"), "--data", str(packs / "large"), "--out", str(tmp_path / "run")]

    def torchrun(*more):
        launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        return subprocess.run(
            [*launch, "-m", "visavis", *words, *more],
            capture_output=True, text=True, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    done = torchrun("--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == 6
    words[3] = str(tmp_path / "nothing")
    again = torchrun("--json")
    assert again.returncode == 1 and "nothing" in json.loads(again.stdout)["error"]["message"]
