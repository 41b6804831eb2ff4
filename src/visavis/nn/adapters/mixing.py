"""The weight of the second of two adapters, for each picture of one forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from visavis.errors import UsageError
from visavis.nn.layers.recording import recording

_ALPHA: ContextVar[Tensor | None] = ContextVar("alpha", default=None)
"""Of the pass that runs in this thread: two threads may mix one network differently at the same time."""


@contextmanager
def mixed_by(alpha: Tensor) -> Iterator[None]:
    """Inside, every pair of adapters is mixed by these weights.

    Args:
        alpha: Float ``(B,)`` or ``(B, 1)``, one for each picture of the batch: 0 is the first adapter alone, 1 the
            second alone.

    Raises:
        UsageError: Another shape, or a weight that is not finite.
    """
    token = _ALPHA.set(checked_alpha(alpha))
    try:
        yield
    finally:
        _ALPHA.reset(token)


def given_alpha() -> Tensor | None:
    """The weights ``(B,)`` of the pass that runs, or None outside `mixed_by`."""
    return _ALPHA.get()


def checked_alpha(alpha: Tensor) -> Tensor:
    """Weights as ``(B,)``; see `mixed_by`."""
    if alpha.ndim == 2 and alpha.shape[1] == 1:
        alpha = alpha[:, 0]
    if alpha.ndim != 1:
        raise UsageError(f"alpha has one value a picture, (B,) or (B, 1); got {tuple(alpha.shape)}")
    if not recording() and not bool(torch.isfinite(alpha).all()):
        rows = torch.nonzero(~torch.isfinite(alpha))[:8, 0].tolist()
        raise UsageError(
            f"alpha is not finite for the pictures {', '.join(map(str, rows))} of a batch: their quality was not "
            "measured; leave those pictures out, or give alpha a fixed value"
        )
    return alpha


def rows_of(alpha: Tensor, x: Tensor) -> Tensor:
    """The weights as factors of the rows of a tensor whose first axis counts windows, picture by picture.

    Args:
        alpha: ``(B,)``.
        x: ``(B * windows, ..., C)``.

    Returns:
        ``(B * windows, 1, ..., 1)``, each weight as often as its picture has windows.

    Raises:
        UsageError: The first axis is no multiple of B.
    """
    if not recording() and (not len(alpha) or len(x) % len(alpha)):
        raise UsageError(f"alpha has {len(alpha)} values for {len(x)} rows; give one for each picture of the batch")
    windows = x.shape[0] // alpha.shape[0]
    repeated = alpha.to(x.dtype)[:, None].expand(-1, windows).reshape(-1)
    return repeated.reshape(-1, *[1] * (x.ndim - 1))
