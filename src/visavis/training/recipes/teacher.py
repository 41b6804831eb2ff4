"""Embeddings of a teacher for every crop of some packs, made once before a student trains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visavis.data.pack import Pack
from visavis.errors import UsageError
from visavis.pipeline.models import create_embedder
from visavis.runtime.session import EngineOptions
from visavis.types import Crops, Status

_CHUNK = 256


def teacher_targets(teacher: str, packs: Sequence[Pack], *, dimension: int) -> NDArray[np.float32]:
    """Unit embeddings of all rows of packs, one pack after the other.

    Args:
        teacher: A recogniser, by name or file.
        packs: Crops.
        dimension: What the student gives.

    Returns:
        float32 ``(N, dimension)``.

    Raises:
        ModelError: The teacher is unknown or missing.
        UsageError: It gives embeddings of another length, or takes other crops.
    """
    embedder = create_embedder(teacher, engine=EngineOptions.default())
    parts = []
    for pack in packs:
        for start in range(0, len(pack), _CHUNK):
            pixels = np.array(pack.pixels[start : start + _CHUNK])
            matrices = np.tile(np.eye(2, 3, dtype=np.float32), (len(pixels), 1, 1))
            crops = Crops(pixels, matrices, pack.meta.template, Status((None,) * len(pixels)), pack.meta.detector)
            parts.append(embedder.embed(crops).vectors)
    targets = np.concatenate(parts)
    if targets.shape[1] != dimension:
        raise UsageError(
            f"the teacher {teacher} gives {targets.shape[1]} values and the student {dimension}; build the "
            f"backbone with dimension: {targets.shape[1]}"
        )
    return targets
