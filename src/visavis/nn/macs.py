"""How much arithmetic a network does."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from visavis.nn.layers.attention import SelfAttention


def count_macs(network: nn.Module, x: Tensor) -> int:
    """Multiply-accumulate operations of one pass in evaluation mode: convolutions, linear layers and attention.

    Normalisations, activations, poolings and biases are left out, as is usual in the literature. Of attention, the
    two products of queries, keys and values count; its linear layers count as such.

    Args:
        network: Left in the mode it is in; put it and ``x`` on the device ``meta`` to count without memory or time.
        x: Input, batch first.

    Returns:
        For the whole batch.
    """
    total = 0

    def add(part: nn.Module, given: tuple[Any, ...], result: Any) -> None:
        nonlocal total
        if isinstance(part, nn.Conv2d):
            total += result.numel() * math.prod(part.kernel_size) * part.in_channels // part.groups
        elif isinstance(part, nn.Linear):
            total += result.numel() * part.in_features
        elif isinstance(part, SelfAttention):
            total += 2 * result[1].numel() * (part.proj.in_features // part.heads)

    training = network.training
    handles = [part.register_forward_hook(add) for part in network.modules()]
    try:
        with torch.no_grad():
            network.eval()(x)
    finally:
        network.train(training)
        for handle in handles:
            handle.remove()
    return total
