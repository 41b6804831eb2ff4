"""Stochastic depth: a residual branch left out for some samples in training."""

from __future__ import annotations

from torch import Tensor, nn


class DropPath(nn.Module):
    """Zero whole samples with a probability in training, and scale the others to keep the mean.

    Huang et al., Deep Networks with Stochastic Depth, 2016.

    Args:
        rate: Probability of dropping a sample, in [0, 1).
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Any ``(B, ...)``; the same values in evaluation mode."""
        if not self.training or self.rate == 0.0:
            return x
        keep = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(1.0 - self.rate)
        return x * keep / (1.0 - self.rate)


def increasing(rate: float, depth: int) -> list[float]:
    """Rates that grow linearly from 0 at the first block to ``rate`` at the last of ``depth`` blocks."""
    return [rate * number / max(1, depth - 1) for number in range(depth)]
