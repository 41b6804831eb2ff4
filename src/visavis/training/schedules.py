"""Learning rates over a run: a factor of the base rate, as a pure function of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from visavis.errors import UsageError
from visavis.training.ranges import require_ranges


@dataclass(frozen=True, slots=True)
class Constant:
    """The base rate throughout.

    Attributes:
        warmup: Epochs of linear rise from 0 before it.
    """

    warmup: float = 0.0

    def factor(self, epoch: float, epochs: float) -> float:
        """1."""
        return 1.0

    def __post_init__(self) -> None:
        require_ranges(self, warmup=(0, None))


@dataclass(frozen=True, slots=True)
class Steps:
    """The rate is multiplied by gamma at each milestone.

    Attributes:
        milestones: Epochs, rising; CASIA in ArcFace: 20, 28 of 34.
        gamma: Factor at each.
        warmup: Epochs of linear rise from 0 before it.
    """

    milestones: tuple[float, ...]
    gamma: float = 0.1
    warmup: float = 0.0

    def __post_init__(self) -> None:
        require_ranges(self, warmup=(0, None), gamma=(0, None))
        if list(self.milestones) != sorted(self.milestones):
            raise UsageError(f"milestones are epochs in rising order; got {self.milestones}")

    def factor(self, epoch: float, epochs: float) -> float:
        """gamma to the power of the milestones passed."""
        return self.gamma ** sum(epoch >= milestone for milestone in self.milestones)


@dataclass(frozen=True, slots=True)
class Polynomial:
    """``(1 - t) ** power`` from the end of warm-up to the end of the run; arcface_torch uses power 2.

    Attributes:
        power: Exponent.
        final: Factor at the end.
        warmup: Epochs of linear rise from 0 before it.
    """

    power: float = 2.0
    final: float = 0.0
    warmup: float = 0.0

    def __post_init__(self) -> None:
        require_ranges(self, warmup=(0, None), power=(0, None), final=(0, 1))

    def factor(self, epoch: float, epochs: float) -> float:
        """Falls from 1 to ``final``."""
        rest = 1.0 - _share(epoch, epochs, self.warmup)
        return self.final + (1.0 - self.final) * float(rest**self.power)


@dataclass(frozen=True, slots=True)
class Cosine:
    """Half a cosine from the end of warm-up to the end of the run (Loshchilov and Hutter 2017, without restarts).

    Attributes:
        final: Factor at the end.
        warmup: Epochs of linear rise from 0 before it.
    """

    final: float = 0.0
    warmup: float = 0.0

    def __post_init__(self) -> None:
        require_ranges(self, warmup=(0, None), final=(0, 1))

    def factor(self, epoch: float, epochs: float) -> float:
        """Falls from 1 to ``final``."""
        return self.final + (1.0 - self.final) * 0.5 * (1.0 + math.cos(math.pi * _share(epoch, epochs, self.warmup)))


Schedule = Constant | Steps | Polynomial | Cosine


def rate_factor(schedule: Schedule, *, step: int, steps: int, steps_per_epoch: float) -> float:
    """The factor of the base rate in one step.

    Warm-up rises linearly and reaches 1 in its last step; the schedule follows.

    Args:
        schedule: Its milestones and warm-up are epochs.
        step: Optimiser steps done.
        steps: Optimiser steps of the run.
        steps_per_epoch: Optimiser steps of an epoch.

    Raises:
        UsageError: Warm-up is as long as the run.
    """
    warmup = schedule.warmup * steps_per_epoch
    if warmup and warmup >= steps:
        raise UsageError(
            f"the schedule has a warm-up of {schedule.warmup:g} epochs and the run {steps / steps_per_epoch:.3g}; "
            "train longer, or shorten the warm-up in the recipe (training.optimisers)"
        )
    if step + 1 < warmup:
        return (step + 1) / warmup
    return schedule.factor(step / steps_per_epoch, steps / steps_per_epoch)


def _share(epoch: float, epochs: float, warmup: float) -> float:
    """How much of the run after warm-up is done, 0 to 1."""
    return min(max((epoch - warmup) / (epochs - warmup), 0.0), 1.0)
