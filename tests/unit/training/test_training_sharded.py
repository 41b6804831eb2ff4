"""A recogniser in two processes against one: plain and sharded losses, checkpoints, the command."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from recogniser_task import patterns
from split_recogniser import SETTINGS, train_split

from process_group import together
from visavis.data.pack import Pack
from visavis.errors import UsageError
from visavis.training.checkpoints import load_checkpoint
from visavis.training.optimisers import Sgd
from visavis.training.recipes.export import export_run
from visavis.training.recipes.part import Part
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


def several(rank, folder, out):
    """All cases in one start of the processes."""
    return [run(rank, folder, out / f"{case}-two", case, {"steps": steps}) for case, steps in STEPS.items()]


def test_two_processes_have_the_losses_of_one_for_fifty_steps(packs, tmp_path):
    both = together(several, 2, tmp_path, packs, tmp_path)
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


def test_a_sharded_run_of_two_goes_on_in_one_and_in_three(packs, tmp_path):
    whole = run(0, packs, tmp_path / "one", "sharded", {"steps": 12, "checkpoint_every": 4})
    chosen = {"steps": 12, "checkpoint_every": 4, "keep": 1}
    together(_stopped, 2, tmp_path, packs, tmp_path / "two", {**chosen, "keep": 3})
    folder = tmp_path / "two" / "checkpoints"
    assert len(list(folder.glob("step-*.part-*-of-2.safetensors"))) == 4
    for path in folder.glob("step-000000008*"):
        path.unlink()
    alone = run(0, packs, tmp_path / "two", "sharded", {**chosen, "keep": 3}, resume=True)
    assert len(alone[0]) == 8 and alone[0][-1]["loss"] == pytest.approx(whole[0][-1]["loss"], abs=1e-5)
    np.testing.assert_allclose(alone[1], whole[1], atol=1e-5)
    for path in folder.glob("step-000000012*"):
        path.unlink()
    back = together(run, 3, tmp_path, packs, tmp_path / "two", "sharded", chosen, True)
    assert len(back[0][0]) == 4 and [len(part[1]) for part in back] == [3, 3, 3]
    np.testing.assert_allclose(np.concatenate([part[1] for part in back]), whole[1], atol=1e-5)
    assert sorted(path.name for path in folder.iterdir()) == [
        *(f"step-000000012.part-{rank}-of-3.safetensors" for rank in range(3)), "step-000000012.pt",
    ]  # fmt: skip


class Died(Exception):
    pass


def _stopped(rank, folder, out, changes):
    with pytest.raises(Died):
        run(rank, folder, out, "sharded", changes, stop=10)


RECIPE = RecogniserRecipe(
    backbone=Part("backbone/mobilefacenet-tiny", {"size": 32, "dimension": 16}),
    loss=Part("loss/cosface", {"scale": 8.0}),
    training=Settings(
        steps=6, optimisers={"*": Sgd(rate=0.01, schedule=Constant())}, tensorboard=False, threads=1, log_every=1
    ),
    batch=12,
    classifier=Sharded(sample_rate=0.7, filter=0.5),
)


def _recipe(rank, folder, out):
    outcome = train_recogniser(RECIPE, Pack.open(folder / "large"), develop=Pack.open(folder / "develop"), out=out)
    return outcome.step, dict(outcome.evaluation)


def test_a_recipe_with_a_sampled_classifier_is_trained_and_exported(packs, tmp_path):
    first, second = together(_recipe, 2, tmp_path, packs, tmp_path / "run")
    assert first == second and first[0] == 6 and 0 <= first[1]["auc"] <= 1
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["processes"] == 2 and record["recipe"]["classifier"] == {"sample_rate": 0.7, "filter": 0.5}
    assert len(json.loads((tmp_path / "run" / "classes.json").read_text())) == 9
    kept = load_checkpoint(tmp_path / "run" / "checkpoints" / "step-000000006.pt")
    assert not any("weight" in key for key in kept["task"] if key.startswith("loss."))
    exported = export_run(read_run(tmp_path / "run"), tmp_path / "a.onnx", licence="MIT")
    assert exported.parity < 1e-5


def test_a_recipe_says_how_its_classifier_is_split(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(write_recipe(RECIPE))
    assert "sample_rate: 0.7" in path.read_text() and read_recipe(path) == RECIPE
    with pytest.raises(UsageError, match="at most 1"):
        Sharded(sample_rate=2.0)
    pack = Pack.write(tmp_path / "pack", *patterns(4, 4, seed=2))
    for loss, message in (("loss/triplet", "has no classes"), ("loss/centre", "cannot be split")):
        with pytest.raises(UsageError, match=message):
            train_recogniser(replace(RECIPE, loss=Part(loss)), pack, out=tmp_path / "run")


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
    again = torchrun()
    assert again.returncode == 1 and again.stderr.count("holds a run; resume it") == 1
