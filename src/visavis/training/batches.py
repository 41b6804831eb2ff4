"""Where the batches of a training run come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol


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
