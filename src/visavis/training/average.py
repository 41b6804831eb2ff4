"""An exponential moving average of a Task's weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from visavis.training.settings import MovingAverage
from visavis.training.task import Task


def average_decay(settings: MovingAverage, updates: int) -> float:
    """The decay of the update after so many."""
    return min(settings.decay, (1 + updates) / (10 + updates)) if settings.warmup else settings.decay


class AveragedWeights:
    """The average of what `Task.averaged` names; starts at the weights it is made with.

    Args:
        task: Whose weights to follow.
        settings: Decay and warm-up.
    """

    def __init__(self, task: Task, settings: MovingAverage) -> None:
        self._task = task
        self._settings = settings
        self._updates = 0
        self._values = {name: value.detach().clone() for name, value in task.averaged().items()}

    @torch.no_grad()
    def update(self) -> None:
        """Move towards the weights: ``average = decay * average + (1 - decay) * weight``."""
        decay = average_decay(self._settings, self._updates)
        current = self._task.averaged()
        averages = list(self._values.values())
        torch._foreach_lerp_(averages, [current[name].detach() for name in self._values], 1.0 - decay)
        self._updates += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The task has the averaged weights inside, and its own afterwards, bit for bit."""
        own = {name: value.detach().clone() for name, value in self._task.averaged().items()}
        self._copy(self._values)
        try:
            yield
        finally:
            self._copy(own)

    def state_dict(self) -> dict[str, object]:
        """The averages and how often they were updated."""
        return {"updates": self._updates, "values": dict(self._values)}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Go on from what `state_dict` gave."""
        values = state["values"]
        assert isinstance(values, dict)
        for name, value in self._values.items():
            value.copy_(values[name])
        self._updates = int(str(state["updates"]))

    @torch.no_grad()
    def _copy(self, values: Mapping[str, Tensor]) -> None:
        for name, value in self._task.averaged().items():
            value.copy_(values[name])
