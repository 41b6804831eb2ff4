"""Samples: faces of pictures that stand for a person."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""xyxy, pixels of the picture after EXIF orientation."""


@dataclass(frozen=True, slots=True, eq=False)
class NewSample:
    """A face to add to a person.

    Attributes:
        person: Id of the person; made if there is none.
        source: Where the picture came from: a path or a name.
        sha256: Of the picture's bytes, 64 hexadecimal digits.
        box: xyxy, pixels of the picture after EXIF orientation.
        score: Of the detector.
        quality: 0..100; NaN where it was not assessed.
        norm: Of the raw embedding.
        vector: float32 ``(D,)``, unit norm.
        crop: Aligned crop, uint8 RGB ``(H, W, 3)``; None keeps none.
        crop_template: Name of the crop's template, for example ``arcface-112``.
        name: Of a person that is made.
        metadata: Of a person that is made.
    """

    person: str
    source: str
    sha256: str
    box: Box
    score: float
    quality: float
    norm: float
    vector: NDArray[np.float32]
    crop: NDArray[np.uint8] | None = None
    crop_template: str = ""
    name: str | None = None
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """A face of a person in a gallery.

    Attributes:
        sample: Number that the gallery gave; it is never used for another one.
        person: Id of the person.
        source: Where the picture came from.
        sha256: Of the picture's bytes.
        box: xyxy, pixels of the picture after EXIF orientation.
        score: Of the detector.
        quality: 0..100; NaN where it was not assessed.
        norm: Of the raw embedding.
        crop_template: Name of the crop's template; None where no crop is kept.
        created: When it was added.
    """

    sample: int
    person: str
    source: str
    sha256: str
    box: Box
    score: float
    quality: float
    norm: float
    crop_template: str | None
    created: datetime

    def to_dict(self) -> dict[str, Any]:
        """The fields as a JSON-ready dictionary; None for a quality that was not assessed."""
        quality = None if math.isnan(self.quality) else self.quality
        return {**asdict(self), "box": list(self.box), "quality": quality, "created": self.created.isoformat()}


@dataclass(frozen=True, slots=True, eq=False)
class StoredSample:
    """A sample with what is kept of it.

    Attributes:
        sample: What is known of it.
        vector: Its template, float32 ``(D,)``, unit norm, in the gallery's space.
        png: Its aligned crop as PNG; None where none is kept, or none was asked for.
    """

    sample: Sample
    vector: NDArray[np.float32]
    png: bytes | None
