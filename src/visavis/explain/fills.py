"""What explainers put where they hide something: flat colours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError

Filler = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

_MIDDLE = 127.5


def grey(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Middle grey, 127.5, of the shape of a uint8 RGB crop ``(H, W, 3)``."""
    return np.full(pixels.shape, _MIDDLE, np.float32)


def mean_colour(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The mean colour of a uint8 RGB crop ``(H, W, 3)``, of its shape."""
    colour = pixels.reshape(-1, pixels.shape[-1]).mean(axis=0, dtype=np.float64)
    return np.broadcast_to(colour.astype(np.float32), pixels.shape)


FILLS: dict[str, Filler] = {"grey": grey, "mean": mean_colour}
"""Name -> filler. Removals of `visavis.explain.faithfulness` are textured, so that no explainer is judged by its own
fill."""


def filler(name: str) -> Filler:
    """The filler of a name.

    Raises:
        UsageError: An unknown name.
    """
    if name not in FILLS:
        raise UsageError(f"fill is one of {', '.join(FILLS)}; got {name!r}")
    return FILLS[name]


def covered(pixels: NDArray[np.uint8], mask: NDArray[np.float32], filling: NDArray[np.floating]) -> NDArray[np.uint8]:
    """A crop with a part replaced.

    Args:
        pixels: uint8 RGB ``(H, W, 3)``.
        mask: float32 ``(H, W)`` in 0..1; 1 is replaced wholly.
        filling: ``(H, W, 3)`` in 0..255.

    Returns:
        uint8 RGB ``(H, W, 3)``, rounded.
    """
    whole = pixels.astype(np.float32)
    mixed = whole + mask[..., None] * (filling - whole)
    return np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)
