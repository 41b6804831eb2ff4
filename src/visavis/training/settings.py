"""How long and how a run trains; frozen, with nothing of faces in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from visavis.errors import UsageError
from visavis.training.optimisers import Optimiser, Sgd
from visavis.training.ranges import TINY, Range, require_ranges

Precision = Literal["fp32", "bf16", "fp16"]
_COUNTS = ("steps", "checkpoint_every", "threads", "accumulate", "keep", "log_every")


@dataclass(frozen=True, slots=True)
class MovingAverage:
    """An exponential moving average of the weights, used for validation and export.

    Attributes:
        decay: Share of the average that stays in each step.
        warmup: The decay of step t is at most ``(1 + t) / (10 + t)``, so that the first weights are soon forgotten.
    """

    decay: float = 0.9999
    warmup: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.decay < 1:
            raise UsageError(f"the decay of a moving average lies in [0, 1); got {self.decay}")


@dataclass(frozen=True, slots=True)
class Watch:
    """The validation measure that says which checkpoint is best, and when to stop.

    Attributes:
        measure: Name of a measure of the Task's ``summarise``.
        highest: Whether higher is better.
        patience: Evaluations without a better one after which the run stops; None never stops early.
        least: By how much a value must be better to count.
    """

    measure: str
    highest: bool = True
    patience: int | None = None
    least: float = 0.0

    def __post_init__(self) -> None:
        if (self.patience is not None and self.patience < 1) or self.least < 0:
            raise UsageError(f"patience is at least 1 or none, and least at least 0; got {self}")

    def is_better(self, value: float, best: float | None) -> bool:
        """Whether a value beats the best so far; the first one does, NaN never."""
        if value != value:
            return False
        if best is None:
            return True
        return value > best + self.least if self.highest else value < best - self.least


@dataclass(frozen=True, slots=True)
class Settings:
    """A run, but for its task and its data.

    Attributes:
        epochs: Length of the run; may be a fraction. Exactly one of ``epochs`` and ``steps`` is given.
        steps: Length in optimiser steps.
        seed: Of everything that is drawn.
        optimisers: Parameter group, or a pattern, -> optimiser with its schedule.
        accumulate: Batches of one optimiser step; their losses are averaged.
        precision: Of the networks: ``fp32``; ``bf16`` and ``fp16`` by autocast, the latter with loss scaling.
        average: Moving average of the weights, or None.
        evaluate_every: Epochs between two validations; None validates at the end only.
        watch: What decides the best checkpoint and early stopping; None keeps the last.
        checkpoint_every: Optimiser steps between two checkpoints; None is once an epoch.
        keep: Checkpoints that stay, the best besides.
        log_every: Optimiser steps between two lines of the log.
        tensorboard: Whether to write events for TensorBoard beside the CSV files.
        threads: Threads of torch; None leaves them. Bitwise repetition holds for one number of threads.
        device: ``cpu``, ``cuda``, ``cuda:1`` ...
    """

    epochs: float | None = None
    steps: int | None = None
    seed: int = 0
    optimisers: Mapping[str, Optimiser] = field(default_factory=lambda: {"*": Sgd()})
    accumulate: int = 1
    precision: Precision = "fp32"
    average: MovingAverage | None = None
    evaluate_every: float | None = 1.0
    watch: Watch | None = None
    checkpoint_every: int | None = None
    keep: int = 2
    log_every: int = 20
    tensorboard: bool = True
    threads: int | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.steps is None):
            raise UsageError(
                f"a run has a length in epochs or in steps, one of them; got {self.epochs} and {self.steps}"
            )
        whole: dict[str, Range] = dict.fromkeys(_COUNTS, (1, None))
        require_ranges(self, epochs=(TINY, None), evaluate_every=(TINY, None), seed=(0, None), **whole)
        if self.precision not in ("fp32", "bf16", "fp16"):
            raise UsageError(f"a precision is fp32, bf16 or fp16; got {self.precision!r}")

    def length(self, batches_per_epoch: int) -> tuple[int, float]:
        """Optimiser steps of the run, and of an epoch."""
        per_epoch = batches_per_epoch / self.accumulate
        if self.steps is not None:
            return self.steps, per_epoch
        return max(1, round((self.epochs or 0) * per_epoch)), per_epoch


HARMLESS = frozenset({"evaluate_every", "watch", "checkpoint_every", "keep", "log_every", "tensorboard", "device"})
"""Settings that a run may change when it goes on: none touches the weights but the device, which computes otherwise."""
