"""The checkpoints of a run: each is whole or absent, the newest that can be read counts."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from visavis.errors import ModelError, UsageError
from visavis.io.atomic import make_folder, write_output
from visavis.training.shards import check_parts, remove_parts

SCHEMA = 1
BEST = "best.pt"
PARTS = "parts"
"""Name in a checkpoint of what lies in files of single processes; see `visavis.training.shards`."""
ASIDE = {"model.missing": ".incomplete", "model.damaged": ".damaged"}
"""Why a checkpoint was passed over -> what it is renamed to, so that it counts no more; its parts stay."""
_log = logging.getLogger("visavis")
_NAME = re.compile(r"step-(\d{9})\.pt")


def checkpoint_name(step: int) -> str:
    """File name of the checkpoint after so many optimiser steps."""
    return f"step-{step:09d}.pt"


def saved_steps(folder: Path) -> dict[int, Path]:
    """The checkpoints of a folder by step, oldest first."""
    found = {int(match[1]): path for path in folder.glob("step-*.pt") if (match := _NAME.fullmatch(path.name))}
    return dict(sorted(found.items()))


def save_checkpoint(folder: Path, step: int, state: Mapping[str, Any], *, keep: int, best: bool = False) -> Path:
    """Write one checkpoint, the best beside it when it is that, and remove the oldest above ``keep``.

    Args:
        folder: Of the run; made when missing.
        step: Optimiser steps done.
        state: Tensors, numbers, strings, and lists, tuples and dictionaries of them.
        keep: How many stay.
        best: Whether to keep it as ``best.pt`` too.

    Raises:
        UsageError: It cannot be written (no room, no permission); the older ones are untouched.
    """
    make_folder(folder)
    stream = io.BytesIO()
    torch.save({"schema": SCHEMA, "step": step, **state}, stream)
    data = stream.getvalue()
    if best:  # first, so that a run killed in between writes it once more
        write_output(folder / BEST, data)
    path = write_output(folder / checkpoint_name(step), data)
    for old in list(saved_steps(folder).values())[:-keep]:
        old.unlink(missing_ok=True)
    if state.get(PARTS):
        remove_parts(folder, without={*saved_steps(folder), *_steps_aside(folder), *_step_of(folder / BEST)})
    return path


def load_checkpoint(path: Path, *, device: str = "cpu") -> dict[str, Any]:
    """Read one checkpoint; nothing in it can run code.

    Raises:
        ModelError: Missing, damaged, or not a checkpoint of this schema.
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError as error:
        raise ModelError(f"there is no checkpoint {path}", reason="model.missing") from error
    except Exception as error:  # torch raises whatever the damaged bytes lead to
        raise ModelError(
            f"{path} cannot be read as a checkpoint: {str(error).splitlines()[0][:200]}", reason="model.damaged"
        ) from error
    if not isinstance(state, dict) or state.get("schema") != SCHEMA:
        raise ModelError(f"{path} is not a checkpoint of a visavis run (schema {SCHEMA})", reason="model.refused")
    return state


def newest_checkpoint(folder: Path) -> dict[str, Any] | None:
    """The newest checkpoint of a folder, without its parts; None where there is none. Nothing is renamed.

    Raises:
        ModelError: The newest cannot be read; an older one is not taken in its place.
    """
    steps = saved_steps(folder)
    if not steps:
        return None
    *older, newest = steps.values()
    try:
        return load_checkpoint(newest)
    except ModelError as error:
        rest = f"the one before is {older[-1].name}" if older else "there is no older one"
        raise ModelError(
            f"{error.message}; {rest}. Resume the run, or remove the file to take the one before", reason=error.reason
        ) from error


def resumable_checkpoint(folder: Path, *, device: str = "cpu") -> dict[str, Any] | None:
    """The newest checkpoint of a folder that a run can go on from, with all of its parts; None where there is none.

    Newer ones that cannot be read, or lack a part, are renamed so that they do not count (``ASIDE``), and a warning
    in the log of visavis says so.

    Raises:
        ModelError: There are checkpoints, and none can be gone on from; they stay as they are.
    """
    passed: dict[Path, ModelError] = {}
    for path in reversed(saved_steps(folder).values()):
        try:
            state = load_checkpoint(path, device=device)
            check_parts(folder, state.get(PARTS) or [])
        except ModelError as error:
            passed[path] = error
            continue
        for other, why in passed.items():
            aside = other.rename(other.with_suffix(ASIDE.get(why.reason, ".damaged")))
            _log.warning("%s; the run goes on from %s, %s is now %s", why.message, path.name, other.name, aside.name)
        return state
    if passed:
        first = next(iter(passed.values()))
        raise ModelError(f"no checkpoint in {folder} can be gone on from: {first.message}", reason=first.reason)
    return None


def check_same(kept: Mapping[str, Any], given: Mapping[str, Any], *, what: str, harmless: frozenset[str]) -> None:
    """Refuse to go on under other settings.

    Raises:
        UsageError: The message names what differs.
    """
    names = sorted((set(kept) | set(given)) - harmless)
    missing = object()
    other = [name for name in names if kept.get(name, missing) != given.get(name, missing)]
    if other:
        told = "; ".join(f"{name} was {kept.get(name, 'absent')}, is {given.get(name, 'absent')}" for name in other[:3])
        raise UsageError(
            f"the run was begun with other {what} ({told}): it can go on with the same only. Give them back, or begin "
            "a run in another folder"
        )


def _steps_aside(folder: Path) -> set[int]:
    """The steps of checkpoints that were passed over."""
    names = {path.with_suffix(".pt").name for end in ASIDE.values() for path in folder.glob(f"step-*{end}")}
    return {int(match[1]) for name in names if (match := _NAME.fullmatch(name))}


def _step_of(path: Path) -> list[int]:
    """The step of a checkpoint, of which little is read; none of one that cannot be read."""
    try:
        return [int(torch.load(path, map_location="cpu", weights_only=True, mmap=True)["step"])]
    except Exception:  # noqa: BLE001 - whatever the matter, there is no step
        return []
