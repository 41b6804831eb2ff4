"""Heat maps of what is known a patch."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError


def patch_grid(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values of patches ``(N, patches)``, row by row, as squares ``(N, side, side)``.

    Raises:
        UsageError: The patches are not a square.
    """
    side = math.isqrt(maps.shape[1]) if maps.ndim == 2 else 0
    if not side or side * side != maps.shape[1]:
        raise UsageError(f"maps of patches are (N, side * side); got {maps.shape}")
    return maps.reshape(len(maps), side, side)


def heat_maps(
    maps: NDArray[np.float32], *, size: int = 112, each: bool = False, quantile: float = 0.0
) -> NDArray[np.float32]:
    """Maps of patches in 0..1, enlarged to the crop.

    Args:
        maps: Float ``(N, patches)``, the patches of a square row by row.
        size: Side of the crop, pixels.
        each: Stretch every map by itself; else all of them together, so that they can be compared.
        quantile: Share of the values at either end that is clipped.

    Returns:
        float32 ``(N, size, size)``, bilinear between the centres of patches; all 0 for a constant map, NaN for a map
        with NaN.

    Raises:
        UsageError: The patches are not a square, or a quantile outside 0 .. 0.5.
    """
    if not 0 <= quantile < 0.5:
        raise UsageError(f"the share that is clipped at either end lies in [0, 0.5); got {quantile}")
    grids = patch_grid(maps)
    low, high = _ends(maps, each, quantile)
    spread = np.where(high > low, high - low, 1)
    stretched = np.clip((grids - low[:, None, None]) / spread[:, None, None], 0, 1).astype(np.float32)
    enlarged = [cv2.resize(one, (size, size), interpolation=cv2.INTER_LINEAR) for one in stretched]
    return np.asarray(enlarged, np.float32).reshape(len(maps), size, size)


def _ends(maps: NDArray[np.float32], each: bool, quantile: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    known = maps[~np.isnan(maps).any(axis=1)].astype(np.float64)
    if each or not len(known):
        low, high = np.quantile(maps.astype(np.float64), [quantile, 1 - quantile], axis=1)
        return low, high
    both = np.quantile(known, [quantile, 1 - quantile])
    return np.full(len(maps), both[0]), np.full(len(maps), both[1])


def overlaid(crops: NDArray[np.uint8], heat: NDArray[np.float32], *, blend: float = 0.5) -> NDArray[np.uint8]:
    """Heat maps over their crops: blue for 0, red for 1.

    Args:
        crops: uint8 RGB ``(N, H, W, 3)``.
        heat: Float ``(N, H, W)`` in 0..1; a map with NaN is drawn as 0.
        blend: Share of the colour.

    Returns:
        uint8 RGB ``(N, H, W, 3)``.

    Raises:
        UsageError: Shapes that do not fit, or a share outside 0..1.
    """
    if crops.shape[:3] != heat.shape or not 0 <= blend <= 1:
        raise UsageError(
            f"a heat map has the height and width of its crop, and blend is in 0..1; got {heat.shape}, {crops.shape} "
            f"and {blend}"
        )
    levels = np.rint(255 * np.nan_to_num(np.clip(heat, 0, 1))).astype(np.uint8)
    colours = [cv2.applyColorMap(one, cv2.COLORMAP_JET)[..., ::-1] for one in levels]
    mixed = crops * (1 - blend) + np.asarray(colours, np.float64).reshape(crops.shape) * blend
    return np.rint(mixed).astype(np.uint8)
