"""Four Tasks, each trained, killed with SIGKILL in the middle, and resumed: the weights are the same, bit for bit.

Run it: ``python examples/killed_and_resumed.py``. A recogniser, a generator against a critic, a denoiser with a
moving average, and adapters on a frozen network.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from visavis.training.checkpoints import load_checkpoint
from visavis.training.engine import Outcome, StepReport, train

TASKS = {"recogniser_task": 33, "gan_task": 137, "denoiser_task": 63, "lora_task": 111}
"""Module of each problem, and the step in which it is killed: none is one that writes a checkpoint."""


def run(name: str, folder: Path, *, resume: bool = False, kill_at: int | None = None) -> Outcome:
    """Train one of the problems; kill this very process after a step when asked for."""
    task, batches, settings, validation = importlib.import_module(name).problem()
    settings = replace(settings, threads=1)  # the same weights come of the same number of threads

    def observe(report: StepReport) -> None:
        if report.step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    return train(task, batches, settings, out=folder, validation=validation, resume=resume, observe=observe)


def weights_of(path: Path) -> str:
    """sha256 over everything that a checkpoint holds of networks, averages and optimisers."""
    digest = hashlib.sha256()
    state = load_checkpoint(path)
    for part in (state["task"], (state["average"] or {}).get("values", {})):
        for name in sorted(part):
            digest.update(name.encode())
            digest.update(part[name].contiguous().view(-1).numpy().tobytes())
    for name, optimiser in sorted(state["updates"]["optimisers"].items()):
        digest.update(name.encode())
        for number, moments in sorted(optimiser["state"].items()):
            for moment in sorted(moments):
                if torch.is_tensor(moments[moment]):
                    digest.update(f"{number}{moment}".encode() + moments[moment].numpy().tobytes())
    return digest.hexdigest()


def killed(name: str, folder: Path) -> int:
    """Train in a process that is killed; its exit code."""
    words = [sys.executable, __file__, name, str(folder), str(TASKS[name])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(words, env=environment, check=False, capture_output=True, timeout=300).returncode


def compare(name: str) -> tuple[int, str, str]:
    """Exit code of the killed process, and hashes of the uninterrupted and of the resumed run."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        code = killed(name, folder / "killed")
        whole = run(name, folder / "whole")
        resumed = run(name, folder / "killed", resume=True)
        return code, weights_of(whole.checkpoint), weights_of(resumed.checkpoint)


def main() -> int:
    """Compare all four; the exit code is the number that differ."""
    wrong = 0
    for name in TASKS:
        code, whole, resumed = compare(name)
        wrong += whole != resumed
        told = "the same weights" if whole == resumed else "OTHER WEIGHTS"
        print(f"{name:16} killed after step {TASKS[name]} (exit code {code}), resumed: {told} {resumed[:16]}")
    return wrong


if __name__ == "__main__":
    if len(sys.argv) == 4:
        run(sys.argv[1], Path(sys.argv[2]), kill_at=int(sys.argv[3]))
    else:
        sys.exit(main())
