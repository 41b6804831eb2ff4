"""On CelebA: train, kill in the middle, resume bit for bit, export, calibrate, verify."""

import json
import signal
import time

import pytest
from PIL import Image

from commands import finish, start
from visavis.io import open_store
from visavis.training.checkpoints import load_checkpoint

pytestmark = pytest.mark.data


def run(*words, code=0, timeout=500):
    ran = finish(start(*words), timeout=timeout)
    assert ran.code == code, ran
    return ran


def test_a_killed_run_becomes_a_model_that_verifies(shared_data, tmp_path):
    celeba = shared_data / "celeba_ids"
    without = f"{celeba}/labels.csv:suspect"
    packed = run("pack", celeba / "celeba_ids.tar", "--without", without, "--out", tmp_path / "train", "--json").json
    assert packed["identities"] == 129 and set(packed["roles"]) == {"train"}
    words = ("train", "small", "--data", tmp_path / "train", "--steps", "45", "--threads", "1")
    run(*words, "--out", tmp_path / "whole")
    process = start(*words, "--out", tmp_path / "killed")
    deadline = time.monotonic() + 200
    while not list((tmp_path / "killed").glob("checkpoints/step-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert finish(process).code == -signal.SIGKILL
    run(*words, "--out", tmp_path / "killed", "--resume")
    states = [load_checkpoint(tmp_path / one / "checkpoints/step-000000045.pt")["task"] for one in ("whole", "killed")]
    assert all((states[0][name] == states[1][name]).all() for name in states[0])

    model = tmp_path / "mine.onnx"
    told = run(
        "export", tmp_path / "killed", "--out", model, "--calibrate", celeba / "celeba_ids.tar", "--without", without,
        "--population", "CelebA web photos", "--json",
    ).json  # fmt: skip
    assert told["parity"] < 1e-4 and told["card"]["use"] == "research" and "129 people" in told["card"]["trained_on"]
    assert json.loads((tmp_path / "mine.onnx.calibration.json").read_text())["population"] == "CelebA web photos"

    store = open_store(shared_data / "lfw/lfw.tar")
    for number in (1, 2):
        (tmp_path / f"{number}.jpg").write_bytes(store.read_bytes(f"lfw/Abdullah_Gul/Abdullah_Gul_000{number}.jpg"))
        Image.open(tmp_path / f"{number}.jpg").verify()
    verified = run(
        "verify", tmp_path / "1.jpg", tmp_path / "2.jpg", "--model", model, "--at", "fmr=1e-2", "--json"
    ).json
    assert verified["answer"] in ("same", "different", "inconclusive")
    assert verified["population"] == "CelebA web photos"
