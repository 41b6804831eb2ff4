"""Where the batches of a training run come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from visavis.errors import UsageError
from visavis.training.group import Group


class Batches(Protocol):
    """Batches whose order is a pure function of the step, so that a run can go on where it was killed."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches of one epoch; at least 1."""
        ...

    def stream(self, start: int = 0) -> Iterator[Any]:
        """The batches of the global steps ``start``, ``start + 1``, ... without end.

        The batch of a step does not depend on ``start``. The epoch of a step is ``step // steps_per_epoch``.
        """
        ...


@runtime_checkable
class SharedBatches(Batches, Protocol):
    """Batches that can be trained on in several processes, each of which takes its share of every one."""

    def share(self, rank: int, size: int) -> Batches:
        """The rows ``rank * B / size`` up to ``(rank + 1) * B / size`` of each batch of B rows.

        Raises:
            UsageError: The batches cannot be divided so.
        """
        ...


def shared(batches: Batches, group: Group) -> Batches:
    """What a process steps on: its share of each batch.

    Raises:
        UsageError: The batches cannot be shared.
    """
    if group.size == 1:
        return batches
    if not isinstance(batches, SharedBatches):
        raise UsageError(
            f"{type(batches).__name__} gives whole batches only; for {group.size} processes it needs a method "
            "share(rank, size), see visavis.training.batches.SharedBatches"
        )
    return batches.share(group.rank, group.size)


def rows_of_share(rows: int, rank: int, size: int) -> slice:
    """Which rows of a batch are a process's.

    Raises:
        UsageError: The number of rows is no multiple of the processes.
    """
    if rows % size:
        raise UsageError(
            f"a batch of {rows} rows cannot be shared by {size} processes; make it a multiple of {size}, for example "
            f"{max(size, rows - rows % size)}"
        )
    return slice(rank * rows // size, (rank + 1) * rows // size)


def share_of(batch: Any, rank: int, size: int) -> Any:
    """A process's rows of a batch: of arrays and tensors, and of tuples, lists, dictionaries and dataclasses of them.

    Numbers, words and None stay as they are.

    Raises:
        UsageError: The rows cannot be divided.
    """
    if isinstance(batch, tuple | list):
        return type(batch)(share_of(part, rank, size) for part in batch)
    if isinstance(batch, dict):
        return {name: share_of(part, rank, size) for name, part in batch.items()}
    if is_dataclass(batch) and not isinstance(batch, type):
        return replace(batch, **{one.name: share_of(getattr(batch, one.name), rank, size) for one in fields(batch)})
    if getattr(batch, "ndim", 0):
        return batch[rows_of_share(len(batch), rank, size)]
    return batch


@dataclass(frozen=True, slots=True)
class DrawnBatches:
    """Batches that a function draws, for synthetic data.

    Attributes:
        draw: Makes one batch of a generator that is seeded by the seed and the step.
        steps_per_epoch: What counts as an epoch.
        seed: Of all batches.
    """

    draw: Callable[[np.random.Generator], Any]
    steps_per_epoch: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps_per_epoch < 1 or self.seed < 0:
            raise UsageError(f"an epoch has a batch at least, and a seed is 0 or more; got {self}")

    def stream(self, start: int = 0) -> Iterator[Any]:
        """The batches of the steps from ``start`` on."""
        step = start
        while True:
            yield self.draw(np.random.default_rng([self.seed, step]))
            step += 1

    def share(self, rank: int, size: int) -> Batches:
        """See `SharedBatches.share`; each process draws the whole batch."""

        def draw(rng: np.random.Generator) -> Any:
            return share_of(self.draw(rng), rank, size)

        return DrawnBatches(draw, self.steps_per_epoch, self.seed)
