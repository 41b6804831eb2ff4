"""Crops with nothing on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from visavis.types import FaceContext, Quality

_FLAT = "the crop is of one colour"


def flat_crops(context: FaceContext) -> NDArray[np.bool_]:
    """Whether the crop of a face that did not fail is of one colour, bool ``(N,)``."""
    pixels = context.crops.pixels.reshape(len(context), -1)
    return np.asarray(context.status.ok & (np.ptp(pixels, axis=1) == 0))


def without_flat(column: Quality, context: FaceContext) -> Quality:
    """A measure of a network, whose score of a crop of one colour is 0: what networks say of one means nothing."""
    flat = flat_crops(context)
    reasons = tuple(_FLAT if bad else reason for bad, reason in zip(flat, column.reasons, strict=True))
    return replace(column, score=np.where(flat, 0, column.score).astype(np.float32), reasons=reasons)
