"""Gradients of several processes: averages, and the norm of what lies in parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from visavis.training.group import Group

BUCKET = 1 << 24
"""Numbers that travel together: 64 MB of float32."""


def average_gradients(parameters: Sequence[nn.Parameter], group: Group) -> None:
    """Give each parameter the mean of its gradients in all processes, in place.

    A parameter that has a gradient in some processes only counts as 0 in the others; one that has none anywhere is
    left without. All processes end with the same bits. Gradients travel once a step, whatever was accumulated, in flat
    buckets: tasks update several groups in turn and call their networks as they please, which the hooks of torch's
    DistributedDataParallel do not allow.

    Args:
        parameters: The same ones in the same order in all processes; those that lie in parts are left out.
        group: The processes.
    """
    if group.size == 1 or not parameters:
        return
    device = parameters[0].device
    there = torch.tensor([parameter.grad is not None for parameter in parameters], dtype=torch.int32, device=device)
    chosen = [one for one, has in zip(parameters, group.highest(there).tolist(), strict=True) if has]
    for parameter in chosen:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        elif parameter.grad.is_sparse:
            parameter.grad = parameter.grad.to_dense()
    for bucket in _buckets([parameter.grad for parameter in chosen if parameter.grad is not None]):
        flat = group.total(torch.cat([gradient.reshape(-1) for gradient in bucket])).div_(group.size)
        for gradient, part in zip(bucket, flat.split([gradient.numel() for gradient in bucket]), strict=True):
            gradient.copy_(part.view(gradient.shape))


def total_norm(gradients: Sequence[Tensor], parts: Sequence[Tensor], group: Group) -> Tensor:
    """The Euclidean norm of gradients that all processes have and of those of which each has a part.

    Args:
        gradients: The same in all processes.
        parts: Other rows in each process.
        group: The processes.
    """
    whole = torch.nn.utils.get_total_norm(gradients) if gradients else torch.zeros(())
    if not parts:
        return whole
    squared = group.total(torch.nn.utils.get_total_norm(parts).square())
    return (whole.to(squared.device).square() + squared).sqrt()


def spread_infinity(parts: Iterable[Tensor], group: Group) -> None:
    """Where the part of one process is not finite, make it so in all, so that all leave out the step."""
    several = list(parts)
    if group.size == 1 or not several:
        return
    bad = torch.stack([~torch.isfinite(part).all() for part in several]).any().to(torch.int32)
    if int(group.highest(bad)):
        several[0].view(-1)[:1].fill_(torch.inf)


def _buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Neighbours of one dtype, up to `BUCKET` numbers together."""
    held: list[Tensor] = []
    count = 0
    for gradient in gradients:
        if held and (gradient.dtype != held[0].dtype or count + gradient.numel() > BUCKET):
            yield held
            held, count = [], 0
        held.append(gradient)
        count += gradient.numel()
    if held:
        yield held
