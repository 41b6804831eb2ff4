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
from visavis.training.group import ALONE, Group
from visavis.training.task import Task


def require_finite_losses(
    losses: Mapping[str, float],
    *,
    task: Task,
    batches: Sequence[Any],
    folder: Path,
    step: int,
    group: Group = ALONE,
) -> None:
    """Stop where a loss is NaN or infinite.

    Raises:
        NonFiniteError: Names the losses and the batch, which lies in the folder.
    """
    bad = {name: value for name, value in losses.items() if not math.isfinite(value)}
    if bad:
        told = ", ".join(f"{name} is {value}" for name, value in bad.items())
        what = f"the loss is not finite ({told})"
        stop(what, losses, task=task, batches=batches, folder=folder, step=step, group=group)


def require_finite_gradient(
    norm: float,
    *,
    losses: Mapping[str, float],
    task: Task,
    batches: Sequence[Any],
    folder: Path,
    step: int,
    group: Group = ALONE,
) -> None:
    """Stop where finite losses have a gradient that is NaN or infinite.

    Raises:
        NonFiniteError: Names the parameters and the batch, which lies in the folder.
    """
    if math.isfinite(norm):
        return
    here = [name for name, parameter in task.named_parameters() if _is_bad(parameter)]
    bad = list(dict.fromkeys(name for names in group.objects(here) for name in names))
    told = f"{', '.join(bad[:5])}{', ...' if len(bad) > 5 else ''}" if bad else "its norm overflows"
    stop(
        f"the losses are finite, their gradient is not ({told})",
        losses,
        task=task,
        batches=batches,
        folder=folder,
        step=step,
        group=group,
    )


def _is_bad(parameter: nn.Parameter) -> bool:
    if parameter.grad is None:
        return False
    values = parameter.grad._values() if parameter.grad.is_sparse else parameter.grad
    return not bool(torch.isfinite(values).all())


def stop(
    what: str,
    losses: Mapping[str, float],
    *,
    task: Task,
    batches: Sequence[Any],
    folder: Path,
    step: int,
    group: Group = ALONE,
) -> NoReturn:
    """Write a batch down, the shares of all processes, and end the run.

    Raises:
        NonFiniteError: In the first process.
        ProcessError: In the others.
    """
    shares = group.objects((list(batches), [task.describe(batch) for batch in batches]))
    whole, described = ([one for share in shares for one in share[side]] for side in (0, 1))
    stem = f"non-finite-step-{step:09d}"
    record = {"step": step, "what": what, "losses": {name: str(value) for name, value in losses.items()}}
    if group.is_first:
        write_output(folder / f"{stem}.json", json.dumps({**record, "batches": described}, indent=2).encode())
        stream = io.BytesIO()
        torch.save({"batches": whole, "losses": dict(losses)}, stream)
        write_output(folder / f"{stem}.pt", stream.getvalue())
    group.fail(
        NonFiniteError(
            f"in step {step} {what}; the batch is described in {folder / stem}.json and kept whole in "
            f"{folder / stem}.pt. Look at it; with a lower rate, a longer warm-up or a clip, begin a run in another "
            "folder"
        )
    )
