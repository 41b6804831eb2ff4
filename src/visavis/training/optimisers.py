"""Optimisers as frozen settings, one for each parameter group of a Task."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from visavis.errors import UsageError
from visavis.training.ranges import TINY, require_ranges
from visavis.training.schedules import Cosine, Polynomial, Schedule

_FACTOR = "factor"


@dataclass(frozen=True, slots=True)
class Sgd:
    """Stochastic gradient descent with momentum.

    Attributes:
        rate: Base learning rate; ArcFace: 0.1 for a batch of 512.
        momentum: ArcFace: 0.9.
        weight_decay: ArcFace: 5e-4.
        nesterov: Nesterov's momentum.
        decay_vectors: Whether parameters of fewer than two axes (biases, norms, PReLU) decay too, as in ArcFace.
        vector_rate: Factor of the rate for parameters of fewer than two axes; Light CNN: 2.
        clip: Largest gradient norm of the group; None for no limit. ElasticFace: 5 on the backbone.
        schedule: Of the rate.
    """

    rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    nesterov: bool = False
    decay_vectors: bool = True
    vector_rate: float = 1.0
    clip: float | None = None
    schedule: Schedule = field(default_factory=Polynomial)

    def __post_init__(self) -> None:
        require_ranges(self, rate=(TINY, None), weight_decay=(0, None), clip=(TINY, None), momentum=(0, 1))
        require_ranges(self, vector_rate=(TINY, None))
        if self.nesterov and not self.momentum:
            raise UsageError("Nesterov's momentum needs a momentum above 0")

    def build(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser of torch."""
        return torch.optim.SGD(
            _parted(parameters, self.weight_decay, self.decay_vectors, self.vector_rate),
            lr=self.rate,
            momentum=self.momentum,
            nesterov=self.nesterov,
        )


@dataclass(frozen=True, slots=True)
class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019).

    Attributes:
        rate: Base learning rate.
        betas: Of the two moments.
        epsilon: Added to the root of the second moment.
        weight_decay: Decoupled decay; 0 makes it plain Adam.
        decay_vectors: Whether parameters of fewer than two axes decay too.
        clip: Largest gradient norm of the group; None for no limit.
        schedule: Of the rate.
    """

    rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    weight_decay: float = 0.05
    decay_vectors: bool = False
    clip: float | None = None
    schedule: Schedule = field(default_factory=Cosine)

    def __post_init__(self) -> None:
        require_ranges(self, rate=(TINY, None), weight_decay=(0, None), clip=(TINY, None), epsilon=(TINY, None))
        if not all(0 <= beta < 1 for beta in self.betas):
            raise UsageError(f"betas lie in [0, 1); got {self.betas}")

    def build(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser of torch."""
        groups = _parted(parameters, self.weight_decay, self.decay_vectors, 1.0)
        return torch.optim.AdamW(groups, lr=self.rate, betas=self.betas, eps=self.epsilon)


Optimiser = Sgd | AdamW


def optimiser_of(group: str, optimisers: Mapping[str, Optimiser]) -> Optimiser:
    """The settings of a parameter group: by its name, else by the first pattern that fits (``*`` fits all).

    Raises:
        UsageError: Nothing fits.
    """
    if group in optimisers:
        return optimisers[group]
    for pattern, settings in optimisers.items():
        if fnmatch.fnmatchcase(group, pattern):
            return settings
    raise UsageError(f"no optimiser for the parameter group {group!r}; there are some for {', '.join(optimisers)}")


def check_groups(groups: Mapping[str, Iterable[nn.Parameter]]) -> None:
    """Refuse groups that are empty or share a parameter.

    Raises:
        UsageError: The message names them.
    """
    owner: dict[int, str] = {}
    for name, parameters in groups.items():
        several = list(parameters)
        if not several:
            raise UsageError(f"the parameter group {name!r} is empty; is everything frozen?")
        for parameter in several:
            other = owner.setdefault(id(parameter), name)
            if other != name:
                raise UsageError(
                    f"the parameter groups {other!r} and {name!r} share a parameter; give it one optimiser"
                )


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give all parameters of an optimiser of `Sgd` or `AdamW` their rates, of this base rate."""
    for part in optimiser.param_groups:
        part["lr"] = rate * part.get(_FACTOR, 1.0)


def _parted(parameters: Sequence[nn.Parameter], decay: float, vectors: bool, factor: float) -> list[dict[str, Any]]:
    """Parameters with their decay and the factor of their rate."""
    if (vectors or not decay) and factor == 1:
        return [{"params": list(parameters), "weight_decay": decay}]
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    rest = [parameter for parameter in parameters if parameter.ndim <= 1]
    parts = [
        {"params": matrices, "weight_decay": decay},
        {"params": rest, "weight_decay": decay if vectors else 0.0, _FACTOR: factor},
    ]
    return [part for part in parts if part["params"]]
