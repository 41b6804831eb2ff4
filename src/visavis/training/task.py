"""What the engine runs: a Task holds the networks, says what is optimised in which order, and computes losses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from visavis.errors import UsageError
from visavis.training.group import ALONE, Group
from visavis.training.seeds import own_randomness, seed_everything
from visavis.training.shards import Shard

ALL = "all"


@dataclass(frozen=True, slots=True)
class Phase:
    """One update within a step: one forward and backward, and a step of some optimisers.

    Attributes:
        name: What the phase is called in `StepState` and in logs.
        groups: Names of the parameter groups that it updates; the other groups get no gradient meanwhile.
        every: The phase runs in every so-many-th step; 5 for a generator after five steps of its critic.
    """

    name: str
    groups: tuple[str, ...] = (ALL,)
    every: int = 1

    def __post_init__(self) -> None:
        if not self.groups or self.every < 1:
            raise UsageError(f"the phase {self.name!r} needs a parameter group and every of at least 1; got {self}")

    def runs_at(self, step: int) -> bool:
        """Whether the phase runs in this step, counted from 0."""
        return (step + 1) % self.every == 0


@dataclass(frozen=True, slots=True)
class StepState:
    """Where a run stands when the engine asks for losses.

    Attributes:
        step: Optimiser steps done before this one.
        steps: Optimiser steps of the whole run.
        epoch: Epochs done, with fraction.
        micro: Number of the batch within an accumulated step.
        phase: Name of the phase.
        device: Where the task lies.
        generator: Randomness of this call: a pure function of the run's seed, step, batch, phase and process. torch's
            global generator is seeded alike.
        group: The processes of the run; a batch is this one's share.
        common_seed: A seed of this call that all processes have.
    """

    step: int
    steps: int
    epoch: float
    micro: int
    phase: str
    device: torch.device
    generator: torch.Generator
    group: Group = ALONE
    common_seed: int = 0

    @contextmanager
    def common_randomness(self) -> Iterator[None]:
        """Inside, the global generators draw the same in all processes: for what is computed of the whole batch.

        One process alone draws on as it was: what draws only in here draws the same in any number of processes.
        """
        if self.group.size == 1:
            yield
            return
        with own_randomness([self.device]):
            seed_everything(self.common_seed)
            yield

    @contextmanager
    def full_precision(self) -> Iterator[None]:
        """No autocast inside: for heads, whose differences are lost in half precision."""
        with torch.autocast(self.device.type, enabled=False):
            yield


class Task(nn.Module):
    """A training problem. Subclasses hold their networks as attributes and write `step`.

    A task is a `torch.nn.Module`, so its ``state_dict`` is what a checkpoint holds. A task with a large frozen
    network overrides ``state_dict`` and ``load_state_dict`` to leave it out. What a task draws, it draws from
    ``state.generator`` or torch's global generator; then a run that was killed goes on bit for bit.

    In several processes each one steps on its share of the batch and gradients are averaged: right where losses are
    means over rows. A loss that compares rows sees all of them with `visavis.training.gather.gather_rows`.
    """

    def parameter_groups(self) -> Mapping[str, Sequence[nn.Parameter]]:
        """Group name -> parameters; each group has an optimiser and a schedule of its own.

        The default is one group, ``all``, of every parameter that requires a gradient.
        """
        return {ALL: [parameter for parameter in self.parameters() if parameter.requires_grad]}

    def order(self) -> tuple[Phase, ...]:
        """The updates of a step, in order. The default is one phase of all groups."""
        return (Phase("step", tuple(self.parameter_groups())),)

    def step(self, batch: Any, state: StepState) -> Mapping[str, Tensor]:
        """Named losses of a batch for one phase; the engine minimises their sum.

        Args:
            batch: What the source of batches gives, as it is: numpy arrays or tensors on the CPU.
            state: Where the run stands.
        """
        raise NotImplementedError

    def measures(self) -> dict[str, float]:
        """What the last `step` saw beside its losses, for logs: name -> value."""
        return {}

    def validate(self, batch: Any) -> Any:
        """What a validation batch gives, in evaluation mode and without gradients; goes to `summarise`."""
        raise NotImplementedError

    def summarise(self, outputs: Sequence[Any]) -> dict[str, float]:
        """Measures of all validation batches: name -> value. The default is the mean of mappings of numbers."""
        names = outputs[0].keys() if outputs else ()
        return {name: float(sum(float(part[name]) for part in outputs) / len(outputs)) for name in names}

    def shards(self) -> Mapping[str, Shard]:
        """Tensors of the state of which this process holds some rows: key -> which; none by default.

        Their gradients are not averaged over processes, and each process writes its own rows into a checkpoint.
        """
        return {}

    def averaged(self) -> Mapping[str, Tensor]:
        """The tensors that a moving average follows; the default is every float of the state, buffers too."""
        return {name: value for name, value in self.state_dict().items() if torch.is_floating_point(value)}

    def settled(self) -> Mapping[str, Tensor]:
        """Tensors that a reader of the run takes in place of those of the state: measured on its final weights.

        Asked for at each checkpoint, with the moving average in place where there is one; training does not see them.
        The default is none.
        """
        return {}

    def describe(self, batch: Any) -> Any:
        """What a report on a broken batch says of it, JSON-ready: names of files, row numbers."""
        return {}
