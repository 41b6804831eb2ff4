"""Randomness of a run as a pure function of where it stands, so that nothing of it needs to be saved."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def mixed_seed(*numbers: int) -> int:
    """A 64-bit seed of several whole numbers, each at least 0; other numbers give an unrelated seed."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def seed_everything(seed: int) -> None:
    """Seed the global generators of torch, numpy and Python: a library that a Task calls may use any of them."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)  # noqa: NPY002


@contextmanager
def own_randomness(devices: list[torch.device]) -> Iterator[None]:
    """Give the global generators back as they were found."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng([device for device in devices if device.type == "cuda"]):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)  # noqa: NPY002
