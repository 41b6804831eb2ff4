"""Losses and gradients that are not numbers: the run stops, and the batch that caused them is kept."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import nn

from visavis.errors import NonFiniteError
from visavis.io.atomic import write_output
from visavis.training.task import Task


def require_finite_losses(
    losses: Mapping[str, float], *, task: Task, batches: Sequence[Any], folder: Path, step: int
) -> None:
    """Stop where a loss is NaN or infinite.

    Raises:
        NonFiniteError: Names the losses and the batch, which lies in the folder.
    """
    bad = {name: value for name, value in losses.items() if not math.isfinite(value)}
    if bad:
        told = ", ".join(f"{name} is {value}" for name, value in bad.items())
        stop(f"the loss is not finite ({told})", losses, task=task, batches=batches, folder=folder, step=step)


def require_finite_gradient(
    norm: float, *, losses: Mapping[str, float], task: Task, batches: Sequence[Any], folder: Path, step: int
) -> None:
    """Stop where finite losses have a gradient that is NaN or infinite.

    Raises:
        NonFiniteError: Names the parameters and the batch, which lies in the folder.
    """
    if math.isfinite(norm):
        return
    bad = [name for name, parameter in task.named_parameters() if _is_bad(parameter)]
    told = f"{', '.join(bad[:5])}{', ...' if len(bad) > 5 else ''}" if bad else "its norm overflows"
    stop(
        f"the losses are finite, their gradient is not ({told})",
        losses,
        task=task,
        batches=batches,
        folder=folder,
        step=step,
    )


def _is_bad(parameter: nn.Parameter) -> bool:
    return parameter.grad is not None and not bool(torch.isfinite(parameter.grad).all())


def stop(
    what: str, losses: Mapping[str, float], *, task: Task, batches: Sequence[Any], folder: Path, step: int
) -> NoReturn:
    """Write a batch down and end the run.

    Raises:
        NonFiniteError: Always.
    """
    described = [task.describe(batch) for batch in batches]
    stem = f"non-finite-step-{step:09d}"
    record = {"step": step, "what": what, "losses": {name: str(value) for name, value in losses.items()}}
    write_output(folder / f"{stem}.json", json.dumps({**record, "batches": described}, indent=2).encode())
    stream = io.BytesIO()
    torch.save({"batches": list(batches), "losses": dict(losses)}, stream)
    write_output(folder / f"{stem}.pt", stream.getvalue())
    raise NonFiniteError(
        f"in step {step} {what}; the batch is described in {folder / stem}.json and kept whole in {folder / stem}.pt. "
        "Look at it; with a lower rate, a longer warm-up or a clip, begin a run in another folder"
    )
