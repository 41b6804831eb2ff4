"""Batch normalisation over the batch of all processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from visavis.training.group import Group


class SynchronisedBatchNorm(_BatchNorm):
    """A batch normalisation whose mean and variance in training are those of the rows of all processes.

    It takes over the parameters and buffers of the layer that it stands in for. torch has such a layer for CUDA only.
    Each process brings a mean, a sum of squared differences and a count, which are combined exactly (Chan et al. 1979);
    the numbers of rows may differ.

    Args:
        layer: A `torch.nn.BatchNorm1d`, 2d or 3d.
        group: The processes.
    """

    def __init__(self, layer: _BatchNorm, group: Group) -> None:
        nn.Module.__init__(self)
        self.num_features, self.eps, self.momentum = layer.num_features, layer.eps, layer.momentum
        self.affine, self.track_running_stats = layer.affine, layer.track_running_stats
        self._parameters, self._buffers = layer._parameters, layer._buffers
        self._check_input_dim = layer._check_input_dim  # type: ignore[method-assign]
        self._group = group
        self.train(layer.training)

    def forward(self, input: Tensor) -> Tensor:
        """``(B, C)`` or ``(B, C, ...)`` to the same shape; as the layer itself in evaluation mode."""
        self._check_input_dim(input)  # type: ignore[no-untyped-call]
        if not self.training:
            if self.running_mean is None:
                return F.batch_norm(input, None, None, self.weight, self.bias, training=True, eps=self.eps)
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        output, mean, variance, count = _Normalise.apply(  # type: ignore[no-untyped-call]
            input, self.weight, self.bias, self.eps, self._group
        )
        if self.running_mean is not None and self.running_var is not None:
            self._follow(mean, variance * (count / (count - 1)))
        result: Tensor = output
        return result

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics."""
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


@contextmanager
def synchronised(module: nn.Module, group: Group) -> Iterator[None]:
    """All batch normalisations of a module are over all processes inside, and the plain ones again afterwards.

    Parameters, buffers and their names stay the same. On CUDA torch's own layer stands in, else
    `SynchronisedBatchNorm`.
    """
    replaced: list[tuple[nn.Module, str, nn.Module]] = []
    if group.size > 1:
        made: dict[nn.Module, nn.Module] = {}
        for parent in list(module.modules()):
            for name, child in list(parent._modules.items()):
                if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
                    if child not in made:
                        made[child] = _stand_in(child, group)
                    replaced.append((parent, name, child))
                    setattr(parent, name, made[child])
    try:
        yield
    finally:
        for parent, name, child in replaced:
            child.train(getattr(parent, name).training)
            setattr(parent, name, child)


def _stand_in(layer: _BatchNorm, group: Group) -> nn.Module:
    places = [tensor.device for tensor in (*layer.parameters(), *layer.buffers())]
    if places and places[0].type == "cuda":
        made: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(layer)
        return made
    return SynchronisedBatchNorm(layer, group)


class _Normalise(torch.autograd.Function):
    """``y = (x - mean) / sqrt(variance + eps) * weight + bias`` with the statistics of all processes."""

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, group: Group
    ) -> tuple[Tensor, Tensor, Tensor, int]:
        axes = [axis for axis in range(values.ndim) if axis != 1]
        own_variance, own_mean = torch.var_mean(_precise(values), axes, correction=0)
        own_count = values.numel() // values.shape[1]
        own = torch.cat([own_mean, own_variance * own_count, own_mean.new_tensor([float(own_count)])])
        parts = group.stacked(own)
        counts = parts[:, -1:]
        means, squares = parts[:, :-1].chunk(2, 1)
        count = counts.sum()
        mean = (means * counts).sum(0) / count
        variance = (squares + counts * (means - mean).square()).sum(0) / count
        if float(count) < 2:
            raise ValueError(f"batch normalisation needs more than one value a channel; got {int(count)}")
        output = F.batch_norm(values, mean, variance, weight, bias, eps=eps)
        ctx.save_for_backward(values, weight, mean, (variance + eps).rsqrt())
        ctx.group, ctx.axes, ctx.count = group, axes, float(count)
        ctx.mark_non_differentiable(mean, variance)
        return output, mean, variance, int(count)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        values, weight, mean, inverse = ctx.saved_tensors
        shape = [1, -1, *[1] * (values.ndim - 2)]
        slope = _precise(gradient)
        centred = _precise(values) - mean.view(shape)
        slope_sum, slope_along = slope.sum(ctx.axes), (slope * centred).sum(ctx.axes)
        weight_gradient = None if weight is None else slope_along * inverse
        bias_gradient = None if weight is None else slope_sum
        both = ctx.group.total(torch.cat([slope_sum, slope_along])) / ctx.count
        mean_slope, mean_along = both.chunk(2)
        result = slope - mean_slope.view(shape) - centred * (inverse.square() * mean_along).view(shape)
        factor = inverse if weight is None else inverse * weight
        result = (result * factor.view(shape)).to(values.dtype)
        return result, weight_gradient, bias_gradient, None, None


def _precise(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))
