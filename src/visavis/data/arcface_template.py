"""The ArcFace template for crops of any size."""

from __future__ import annotations

from visavis.errors import UsageError
from visavis.geometry import ARCFACE_112, CropTemplate


def arcface_at(size: int) -> CropTemplate:
    """The ArcFace template for crops of another side: pixel centres keep their place in the picture.

    Raises:
        UsageError: A side outside 1..4096.
    """
    if not 1 <= size <= 4096:
        raise UsageError(f"the side of a crop is 1 to 4096 pixels; got {size}")
    if size == ARCFACE_112.width:
        return ARCFACE_112
    points = (ARCFACE_112.array() + 0.5) * (size / ARCFACE_112.width) - 0.5
    return CropTemplate(f"arcface-{size}", size, size, tuple((float(x), float(y)) for x, y in points))
