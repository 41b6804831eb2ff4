"""What holds while a run goes on, and is as it was afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from visavis.errors import UsageError
from visavis.jobs.alone import alone


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nobody else trains in a folder meanwhile.

    Raises:
        UsageError: Somebody does.
    """
    with alone(folder / ".lock", UsageError(f"another process trains in {folder}; give another folder")):
        yield


@contextmanager
def repeatable() -> Iterator[None]:
    """Operators that sum in a fixed order, where torch has them."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    memory: Any = torch.utils.deterministic
    fill = memory.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        memory.fill_uninitialized_memory = fill
