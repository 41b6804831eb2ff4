"""Pixels to the input of a network in torch, by its contract."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from visavis.cards import LUMA, InputContract, Values
from visavis.errors import UsageError

_SHORT = 32767 // 255
"""Most pixels whose sum fits 16 bits."""


def normalise(pixels: Tensor, contract: InputContract) -> Tensor:
    """What `visavis.runtime.pixels.take_pixels` puts into an ONNX graph: colours, mean and scale.

    Args:
        pixels: RGB crops in 0..255, uint8 or float ``(B, H, W, 3)``.
        contract: Of the network.

    Returns:
        Float32, or the dtype of float pixels, ``(B, C, H, W)``; C is 1 for grey. In channels-last layout, which is
        also what convolutions on the CPU take best.

    Raises:
        UsageError: The pixels have another shape.
    """
    if pixels.ndim != 4 or pixels.shape[-1] != 3:
        raise UsageError(f"pixels are RGB (B, H, W, 3) in 0..255; got {tuple(pixels.shape)}")
    values = pixels if pixels.is_floating_point() else pixels.to(torch.float32)
    if contract.colour == "bgr":
        values = values.flip(-1)
    if contract.colour == "grey":
        values = values @ values.new_tensor(LUMA)[:, None]
    return ((values - _constant(contract.mean, values)) * _constant(contract.scale, values)).permute(0, 3, 1, 2)


def _constant(value: Values, like: Tensor) -> Tensor:
    return like.new_tensor(value)


def network_input(pixels: Tensor, contract: InputContract) -> Tensor:
    """Crops of any side as a network takes them: `normalise`, then `resized` to the contract's size.

    Whole blocks of uint8 pixels are averaged before they are normalised, which gives the same but for rounding, at a
    tenth of the time.

    Args:
        pixels: RGB crops in 0..255, uint8 or float ``(B, H, W, 3)``.
        contract: Of the network.
    """
    size = contract.size
    if size is None or pixels.ndim != 4:
        return normalise(pixels, contract)
    height, width = pixels.shape[1:3]
    if pixels.dtype == torch.uint8 and (height, width) != size and height % size[0] == 0 and width % size[1] == 0:
        return normalise(block_means(pixels, (height // size[0], width // size[1])), contract)
    return resized(normalise(pixels, contract), size)


def block_means(pixels: Tensor, block: tuple[int, int]) -> Tensor:
    """Means of whole blocks of pixels.

    Args:
        pixels: uint8 ``(B, H, W, C)``.
        block: Height and width of a block; they divide H and W.

    Returns:
        float32 ``(B, H / height, W / width, C)``.
    """
    count, height, width, channels = pixels.shape
    rows = pixels.reshape(count * height // block[0], block[0], width * channels)
    kind = torch.int16 if block[0] * block[1] <= _SHORT else torch.int32
    total = rows[:, 0].to(kind)
    for row in range(1, block[0]):
        total = total + rows[:, row]
    columns = total.view(-1, width // block[1], block[1], channels)
    total = columns[:, :, 0]
    for column in range(1, block[1]):
        total = total + columns[:, :, column]
    means = total.to(torch.float32) / (block[0] * block[1])
    return means.view(count, height // block[0], width // block[1], channels)


def resized(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Crops of the side that a network takes: means of whole blocks where the sides divide, else bilinear.

    Bilinear with antialiasing, as two products with constant matrices: engines disagree on ONNX's own resize.

    Args:
        values: Float ``(B, C, H, W)``.
        size: Height and width wanted.
    """
    height, width = values.shape[2:]
    if (height, width) == size:
        return values
    if height % size[0] == 0 and width % size[1] == 0:
        return F.avg_pool2d(values, (height // size[0], width // size[1]))
    rows = torch.tensor(triangle_weights(height, size[0]), dtype=values.dtype, device=values.device)
    columns = torch.tensor(triangle_weights(width, size[1]), dtype=values.dtype, device=values.device)
    return rows @ values @ columns.T


@lru_cache(maxsize=16)
def triangle_weights(side: int, wanted: int) -> NDArray[np.float64]:
    """What each new row takes of the old ones in bilinear resizing, pixel centres on centres, wider when it shrinks.

    Returns:
        float64 ``(wanted, side)``, rows of sum 1.
    """
    scale = side / wanted
    centres = (np.arange(wanted) + 0.5) * scale - 0.5
    away = np.abs(np.arange(side) - centres[:, None]) / max(scale, 1.0)
    weights = np.maximum(0.0, 1.0 - away)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights
