"""A small network that begins as the default recogniser cut to its widths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from visavis.errors import UsageError
from visavis.nn.backbones.mobilenet import STAGES, MobileNetBackbone, Stage
from visavis.recognition.sface_torch import SFaceTorch

_BATCH = 64
_PLACES = 30
"""Places of a map that are looked at in a crop."""
_RIDGE = 1e-4
_LAST_RIDGE = 1e-3


@dataclass(frozen=True, slots=True)
class Slimmed:
    """What slimming did.

    Attributes:
        channels: By stage, the channels of the teacher that were kept, rising.
        unexplained: By pointwise convolution, the share of its target's variance that its inputs do not explain.
    """

    channels: tuple[tuple[int, ...], ...]
    unexplained: tuple[float, ...]


def best_channels(inputs: Tensor, outputs: Tensor, *, count: int) -> list[int]:
    """The channels from which outputs are best predicted, chosen one after the other.

    Each step takes the channel that explains most of what is left of the outputs, by linear regression on it and those
    chosen before (forward selection).

    Args:
        inputs: float ``(N, C)``.
        outputs: float ``(N, K)``.
        count: How many, 1 to C.

    Returns:
        Their numbers, rising. A channel that those before explain wholly comes last, in order.
    """
    centred = inputs - inputs.mean(0)
    left = centred.T @ centred / len(inputs)
    shared = centred.T @ (outputs - outputs.mean(0)) / len(inputs)
    least = 1e-6 * torch.diagonal(left).max()
    free = torch.ones(len(left), dtype=torch.bool)
    chosen: list[int] = []
    for _ in range(count):
        variance = torch.diagonal(left)
        gain = shared.square().sum(1) / variance.clamp_min(least)
        gain = torch.where(free & (variance > least), gain, torch.where(free, -1.0, -2.0))
        best = int(gain.argmax())
        chosen.append(best)
        free[best] = False
        if variance[best] > least:
            row = left[best] / variance[best]
            shared = shared - row[:, None] * shared[best][None]
            left = left - row[:, None] * left[best][None]
    return sorted(chosen)


@torch.no_grad()
def slim(network: MobileNetBackbone, teacher: SFaceTorch, pixels: NDArray[np.uint8], *, seed: int = 0) -> Slimmed:
    """Give a network of fewer channels the weights with which it comes nearest to its teacher, without gradients.

    Channels are chosen by how well they predict what the next pointwise convolution computes. The network keeps the
    teacher's depthwise convolutions of its channels; each pointwise one is fitted, by least squares, from what the
    small network computes so far to what the teacher computes, so that later layers make good for earlier ones (He et
    al. 2017, Channel pruning for accelerating very deep neural networks, section 3; they choose by lasso). The linear
    layer sees the teacher's last map as it is predicted from the channels that are left. Distillation goes on from
    there.

    Args:
        network: Changed in place; its widths are at most those of the teacher.
        teacher: In evaluation mode.
        pixels: uint8 RGB ``(N, 112, 112, 3)``; some hundred crops.
        seed: Of the places that are looked at.

    Returns:
        What was kept, and what each layer lacks.

    Raises:
        UsageError: A network of more channels than its teacher or another input or embedding, or crops of another size.
    """
    wide = [int(stage[-1].weight.numel()) for stage in teacher.stages]  # type: ignore[index]
    side = network.contract.size
    if any(mine > theirs for mine, theirs in zip(network.widths, wide, strict=True)):
        raise UsageError(f"a slim network has at most the widths {tuple(wide)} of its teacher; got {network.widths}")
    if side != (112, 112) or network.dimension != teacher.fc1.num_features or pixels.shape[1:] != (112, 112, 3):
        raise UsageError(
            f"the teacher takes crops of 112 pixels and gives {teacher.fc1.num_features} values; got a network of "
            f"{side} that gives {network.dimension}, and crops of {pixels.shape}"
        )
    network.eval()
    images = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - teacher.mean) * teacher.scale
    seen = _Seen(teacher, images, seed=seed)
    channels = _chosen(teacher, seen, network.widths)
    unexplained = _fit(network, teacher, seen, channels, images)
    return Slimmed(tuple(tuple(some) for some in channels), tuple(unexplained))


class _Seen:
    """What a teacher computes at some places of its maps.

    Attributes:
        places: By stage, places in each crop.
        inputs: By stage, what enters its pointwise convolution, float64; None of the first.
        targets: By stage, what its last PReLU gets.
        last: What leaves the last stage.
    """

    def __init__(self, teacher: SFaceTorch, images: Tensor, *, seed: int) -> None:
        rng = np.random.default_rng(seed)
        maps: list[list[list[Tensor]]] = [[[], []] for _ in range(STAGES)]
        last: list[Tensor] = []
        self.places: list[Tensor] = []
        for first in range(0, len(images), _BATCH):
            value = images[first : first + _BATCH]
            for number, stage in enumerate(teacher.stages):
                assert isinstance(stage, nn.Sequential)
                middle = stage[:-3](value)  # nothing, in the first stage
                output = stage[-3:-1](middle)
                value = stage[-1](output)
                if not first:
                    area = output[0, 0].numel()
                    drawn = [rng.choice(area, min(_PLACES, area), replace=False) for _ in range(len(images))]
                    self.places.append(torch.from_numpy(np.stack(drawn)))
                here = self.places[number][first : first + _BATCH]
                maps[number][0].append(at_places(middle, here))
                maps[number][1].append(at_places(output, here))
            last.append(at_places(value, self.places[-1][first : first + _BATCH]))
        self.inputs = [None, *(torch.cat(inputs).double() for inputs, _ in maps[1:])]
        self.targets = [torch.cat(targets).double() for _, targets in maps]
        self.last = torch.cat(last).double()


def at_places(maps: Tensor, places: Tensor) -> Tensor:
    """``(B, C, H, W)`` at ``(B, P)`` places of each to ``(B P, C)``."""
    picked = maps.flatten(2).gather(2, places[:, None].expand(-1, maps.shape[1], -1))
    return picked.permute(0, 2, 1).reshape(-1, maps.shape[1])


def _in_batches(part: nn.Module, values: Tensor) -> Tensor:
    return torch.cat([part(values[first : first + _BATCH]) for first in range(0, len(values), _BATCH)])


def _chosen(teacher: SFaceTorch, seen: _Seen, widths: Sequence[int]) -> list[list[int]]:
    channels = []
    for number in range(STAGES - 1):
        inputs = seen.inputs[number + 1]
        assert inputs is not None
        channels.append(best_channels(inputs, seen.targets[number + 1], count=widths[number]))
    factor, _ = _factor_and_offset(teacher.bn1)
    depth = teacher.bn1.num_features
    weight = teacher.pre_fc1.weight.reshape(len(teacher.pre_fc1.weight), depth, -1).norm(dim=(0, 2)) * factor.abs()
    channels.append(best_channels(seen.last, seen.last * weight.double(), count=widths[-1]))
    return channels


def _fit(
    network: MobileNetBackbone, teacher: SFaceTorch, seen: _Seen, channels: list[list[int]], images: Tensor
) -> list[float]:
    first, theirs = list(network.stages[0].children()), list(teacher.stages[0].children())
    _copy(first, theirs, channels[0])
    value = _in_batches(network.stages[0], images)
    unexplained = []
    for number in range(1, STAGES):
        stage = network.stages[number]
        assert isinstance(stage, Stage)
        theirs = list(teacher.stages[number].children())
        _copy(list(stage.depthwise.children()), theirs[:3], channels[number - 1])
        middle = _in_batches(stage.depthwise, value)
        kept = channels[number]
        target = seen.targets[number][:, kept]
        inputs = at_places(middle, seen.places[number]).double()
        weight, _ = least_squares(inputs, target, ridge=_RIDGE)
        found = inputs @ weight.T
        missed = (found - found.mean(0) - target + target.mean(0)).square().sum()
        unexplained.append(float(missed / (target - target.mean(0)).square().sum()))
        convolution, norm, activation = stage.pointwise.children()
        convolution.weight.copy_(weight[:, :, None, None])  # type: ignore[operator]
        _set_norm(norm, found, scale=(found.var(0) + norm.eps).sqrt(), mean=target.mean(0))  # type: ignore[operator, arg-type]
        activation.weight.copy_(theirs[5].weight[kept])  # type: ignore[operator, index]
        value = _in_batches(stage.pointwise, middle)
    _fit_last(network, teacher, seen, value)
    return unexplained


def _fit_last(network: MobileNetBackbone, teacher: SFaceTorch, seen: _Seen, value: Tensor) -> None:
    inputs = at_places(value, seen.places[-1]).double()
    weight, offset = least_squares(inputs, seen.last, ridge=_LAST_RIDGE)
    factor, shift = _factor_and_offset(teacher.bn1)
    depth = teacher.bn1.num_features
    dense = teacher.pre_fc1.weight.reshape(len(teacher.pre_fc1.weight), depth, -1)
    through = torch.einsum("dcp,c,cs->dsp", dense, factor, weight.float())
    bias = teacher.pre_fc1.bias + torch.einsum("dcp,c->d", dense, factor * offset.float() + shift)
    mean, spread = inputs.mean(0).float(), (inputs.var(0).float() + network.norm.eps).sqrt()
    _set_norm(network.norm, inputs, scale=torch.ones(len(mean)), mean=torch.zeros(len(mean)))
    network.fc.weight.copy_((through * spread[None, :, None]).flatten(1))
    network.fc.bias.copy_(bias + torch.einsum("dsp,s->d", through, mean))
    network.features_norm.load_state_dict(teacher.fc1.state_dict())


def least_squares(inputs: Tensor, outputs: Tensor, *, ridge: float) -> tuple[Tensor, Tensor]:
    """Weights ``(K, C)`` and offsets ``(K,)`` with which ``inputs W^T + b`` comes nearest to the outputs.

    Args:
        inputs: float ``(N, C)``.
        outputs: float ``(N, K)``.
        ridge: Added to the inputs' covariance, in parts of their mean variance.
    """
    mean, goal = inputs.mean(0), outputs.mean(0)
    centred = inputs - mean
    covariance = centred.T @ centred / len(inputs)
    damped = covariance + ridge * torch.diagonal(covariance).mean() * torch.eye(len(covariance), dtype=inputs.dtype)
    weight = torch.linalg.solve(damped, centred.T @ (outputs - goal) / len(inputs)).T
    return weight, goal - weight @ mean


def _factor_and_offset(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """What batch normalisation multiplies by and adds in evaluation mode."""
    assert norm.running_var is not None and norm.running_mean is not None
    factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return factor, norm.bias - norm.running_mean * factor


def _set_norm(norm: nn.BatchNorm2d, values: Tensor, *, scale: Tensor, mean: Tensor) -> None:
    """Statistics of values, and what they become."""
    assert norm.running_var is not None and norm.running_mean is not None
    norm.running_mean.copy_(values.mean(0))
    norm.running_var.copy_(values.var(0))
    norm.weight.copy_(scale)
    norm.bias.copy_(mean)


def _copy(mine: Sequence[nn.Module], theirs: Sequence[nn.Module], kept: Sequence[int]) -> None:
    """Convolution, BN and PReLU of some channels."""
    for part, other in zip(mine, theirs, strict=True):
        own = part.state_dict()
        given = {name: value[list(kept)] if value.ndim else value for name, value in other.state_dict().items()}
        part.load_state_dict({name: given[name].reshape(own[name].shape) for name in own})
