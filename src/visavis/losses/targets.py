"""A margin acts on one cosine a row, that of the row's own class."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor

from visavis.errors import UsageError

PastPi = Literal["rise", "linear", "easy"]
"""What becomes of an angle that leaves no room for the margin; see `add_angle`."""

_FROM_THE_POLE = 1e-7


def change_targets(cosine: Tensor, labels: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Cosines in which those of each row's own class are replaced by a function of themselves.

    Args:
        cosine: ``(B, C)``.
        labels: int64 ``(B,)``, the own column; rows with -1 stay as they are.
        change: ``(B,)`` to ``(B,)``, row by row; at rows with -1 its result is not used.

    Returns:
        ``(B, C)``; only the B entries are computed anew.
    """
    own = labels.clamp_min(0)[:, None]
    targets = cosine.gather(1, own)[:, 0]
    difference = (change(targets) - targets).where(labels >= 0, 0.0)
    return cosine.scatter_add(1, own, difference[:, None])


def others_above(cosine: Tensor, labels: Tensor, limits: Tensor | float) -> Tensor:
    """Which cosines with other classes than the own are above a limit: bool ``(B, C)``.

    Args:
        cosine: ``(B, C)``.
        labels: int64 ``(B,)``, the own column; -1 where all columns are others.
        limits: One, or ``(B, 1)``, one a row.
    """
    own = labels.clamp_min(0)[:, None]
    above = cosine.detach() > limits
    return above.scatter(1, own, above.gather(1, own) & (labels < 0)[:, None])


def add_angle(cosine: Tensor, angle: Tensor | float, *, past_pi: PastPi = "rise") -> Tensor:
    """``cos(theta + angle)`` of ``cos(theta)``.

    ``cos(theta) cos(angle) - sin(theta) sin(angle)``; the cosine is held 1e-7 away from 1 and -1, where the
    sine has no finite gradient.

    Args:
        cosine: Any shape, in [-1, 1].
        angle: Radians, one or one an entry.
        past_pi: Beyond ``theta + angle = pi`` the cosine would rise again. ``rise``: let it, as the equations
            of the papers do. ``linear``: there ``cos(theta) - angle sin(angle)``, which keeps falling, as in
            the code of ArcFace. ``easy``: no margin at all where ``theta > pi / 2``.

    Raises:
        UsageError: Another word for ``past_pi``.
    """
    if past_pi not in get_args(PastPi):
        raise UsageError(f"past_pi is one of {', '.join(get_args(PastPi))}; got {past_pi!r}")
    angles = torch.as_tensor(angle, dtype=cosine.dtype, device=cosine.device)
    held = cosine.clamp(-1.0 + _FROM_THE_POLE, 1.0 - _FROM_THE_POLE)
    turned = held * angles.cos() - (1.0 - held.square()).sqrt() * angles.sin()
    if past_pi == "linear":
        return turned.where(cosine > (math.pi - angles).cos(), cosine - angles * angles.sin())
    return turned if past_pi == "rise" else turned.where(cosine > 0, cosine)


def multiply_angle_by(cosine: Tensor, times: float) -> Tensor:
    """``cos(times theta)`` of ``cos(theta)``; the cosine is held 1e-7 away from 1 and -1.

    Args:
        cosine: Any shape, in [-1, 1].
        times: Any number above 0; 1 gives the cosine itself.
    """
    if times == 1:
        return cosine
    return (times * cosine.clamp(-1.0 + _FROM_THE_POLE, 1.0 - _FROM_THE_POLE).acos()).cos()
