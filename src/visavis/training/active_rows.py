"""Updates of some rows of a parameter, those that its sparse gradient names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def active_rows(optimiser: torch.optim.Optimizer) -> Iterator[dict[nn.Parameter, nn.Parameter]]:
    """Inside, each parameter with a row-sparse gradient is replaced by its rows that have one, with their moments.

    Whatever the optimiser does (momentum, decay, moments of Adam) it does to these rows alone; values and moments of
    the others do not move, not even by decay. A count of steps that a moment has is that of the parameter.

    Args:
        optimiser: Of torch, whose moments have the shape of the parameter.

    Yields:
        Parameter -> what stands in for it, a leaf with a dense gradient.
    """
    swapped: dict[nn.Parameter, nn.Parameter] = {}
    places: list[tuple[list[nn.Parameter], int, nn.Parameter, Tensor]] = []
    for group in optimiser.param_groups:
        for place, parameter in enumerate(group["params"]):
            if parameter.grad is None or not parameter.grad.is_sparse:
                continue
            rows, values = _rows_of(parameter.grad)
            part = nn.Parameter(parameter.detach()[rows])
            part.grad = values
            kept = optimiser.state.get(parameter, {})
            if kept:
                optimiser.state[part] = {
                    name: value[rows] if _is_moment(value, parameter) else value for name, value in kept.items()
                }
            group["params"][place] = swapped[parameter] = part
            places.append((group["params"], place, parameter, rows))
    try:
        yield swapped
    finally:
        for parameters, place, parameter, rows in places:
            part = parameters[place]
            parameters[place] = parameter
            parameter.detach().index_copy_(0, rows, part.detach())
            _give_back(optimiser, parameter, part, rows)


def _rows_of(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Rows, each once, and their gradient."""
    rows, values = gradient._indices()[0], gradient._values()
    if bool((rows.diff() > 0).all()):
        return rows, values
    merged = gradient.coalesce()
    return merged.indices()[0], merged.values()


def _give_back(optimiser: torch.optim.Optimizer, parameter: nn.Parameter, part: nn.Parameter, rows: Tensor) -> None:
    """The moments of the rows, among zeros where a parameter had none."""
    found = optimiser.state.pop(part, None)
    if found is None:
        return
    kept = optimiser.state[parameter]
    for name, value in found.items():
        if _is_moment(value, part):
            if name not in kept:
                kept[name] = torch.zeros_like(parameter)
            kept[name].index_copy_(0, rows, value)
        else:
            kept[name] = value


def _is_moment(value: Any, like: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == like.shape
