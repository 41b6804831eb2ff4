"""Where the batches of a training run come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from visavis.errors import UsageError


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
