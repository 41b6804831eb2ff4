"""visavis train and export: from packs to a file that the other commands take."""

import json
import signal
import time

import pytest
from recogniser_task import patterns

from commands import call, finish, start
from visavis.data.pack import Pack
from visavis.training.checkpoints import load_checkpoint

RECIPE = """
backbone: {name: backbone/mobilefacenet-tiny, options: {size: 32, dimension: 16}}
loss: {name: cosface, options: {scale: 16.0}}
training: {steps: 8, optimisers: {"*": {kind: sgd, rate: 5e-2}}, tensorboard: false, checkpoint_every: 3, threads: 1}
batch: 16
"""


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packs")
    Pack.write(folder / "train", *patterns(6, 5, seed=1))
    Pack.write(folder / "develop", *patterns(4, 4, seed=2))
    (folder / "mine.yaml").write_text(RECIPE)
    return folder


def test_a_recipe_is_trained_exported_and_used(packs, tmp_path, capfd, astronaut):
    run, model = tmp_path / "run", tmp_path / "mine.onnx"
    trained = call(capfd, "train", packs / "mine.yaml", "--data", packs, "--out", run, "--json").json
    assert trained["steps"] == 8 and trained["ended"] == "finished" and 0 <= trained["develop"]["auc"] <= 1
    assert len(json.loads((run / "classes.json").read_text())) == 6
    told = call(capfd, "export", run, "--out", model, "--licence", "MIT", "--json").json
    assert told["parity"] < 1e-5 and told["card"]["licence"] == "MIT" and told["calibration"] is None
    found = call(capfd, "embed", astronaut, "--model", model, "--out", tmp_path / "t.npz", "--json").json
    assert found["templates"] == 1
    assert "no calibration" in call(capfd, "verify", astronaut, astronaut, "--model", model).refused(4)


def test_a_run_that_is_there_is_resumed_when_asked_for_only(packs, tmp_path, capfd):
    words = ("train", packs / "mine.yaml", "--data", packs / "train", "--out", tmp_path)
    assert "8 steps" in call(capfd, *words).out
    assert "holds a run" in call(capfd, *words).refused(2)
    assert "8 steps" in call(capfd, *words, "--resume").out
    assert "seed was 0, is 1" in call(capfd, *words, "--resume", "--seed", "1").refused(2)


@pytest.mark.slow
def test_ctrl_c_writes_a_checkpoint_and_the_run_goes_on_as_if_nothing_had_been(packs, tmp_path):
    words = ("train", packs / "mine.yaml", "--data", packs / "train", "--steps", "150")
    whole = finish(start(*words, "--out", tmp_path / "whole"), timeout=120)
    assert whole.code == 0, whole
    process = start(*words, "--out", tmp_path / "cut", restore_signals=True, preexec_fn=_hears_ctrl_c)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "cut").glob("checkpoints/step-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert finish(process).code == 130
    resumed = finish(start(*words, "--out", tmp_path / "cut", "--resume"), timeout=120)
    assert resumed.code == 0, resumed
    states = [load_checkpoint(tmp_path / name / "checkpoints/step-000000150.pt")["task"] for name in ("whole", "cut")]
    assert all((states[0][name] == states[1][name]).all() for name in states[0])


def _hears_ctrl_c():
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "a recipe is needed"),
        (("no-such",), 4, "no entry"),
        (("small",), 2, "needs --data"),
        (("small", "--epochs", "1", "--steps", "1"), 2, "not in both"),
        (("small", "--data", "nowhere", "--out", "run"), 3, "not a sound pack"),
        (("small", "--steps", "0", "--show"), 2, "steps is 1 or more"),
        (("missing.yaml",), 3, "missing.yaml"),
    ],
)
def test_a_call_that_cannot_train_says_why(words, code, message, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in call(capfd, "train", *words).refused(code)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("nowhere", "--out", "a.onnx"), 4, "no run of visavis train"),
        (("nowhere", "--out", "a.onnx", "--calibrate", "people"), 2, "--population"),
        (("nowhere", "--out", "a.onnx", "--pairs", "list"), 2, "--images"),
    ],
)
def test_a_call_that_cannot_export_says_why(words, code, message, capfd):
    assert message in call(capfd, "export", *words).refused(code)


def test_recipes_are_listed_and_shown(capfd):
    listed = call(capfd, "train", "--recipes", "--json").json["entries"]
    assert {"recipe/small", "recipe/arcface-casia"} <= {row["name"] for row in listed}
    parts = {row["name"].partition("/")[0] for row in call(capfd, "train", "--parts", "--json").json["entries"]}
    assert parts == {"backbone", "loss"}
    shown = call(capfd, "train", "small", "--show", "--epochs", "2", "--json").json
    assert shown["training"]["epochs"] == 2 and shown["loss"]["name"] == "loss/cosface"
