"""A recogniser whose embeddings of every crop are what a student learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.data.pack import Pack
from visavis.errors import UsageError
from visavis.pipeline.models import create_embedder
from visavis.runtime.cache import cached
from visavis.runtime.session import EngineOptions
from visavis.types import Crops, Status

_CHUNK = 256
_KEPT = 4096
"""Rows that are kept in one file of the cache: what Ctrl-C loses, and another process waits for, at most."""


class Teacher:
    """A frozen recogniser of the inference road.

    Args:
        model: A name or a file.

    Raises:
        ModelError: It is unknown or missing.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._embedder = create_embedder(model, engine=EngineOptions.default())

    def to_dict(self) -> dict[str, Any]:
        """Name, hash and terms, for the record of a run."""
        card = self._embedder.card
        return {"model": card.name, "sha256": card.sha256, "use": card.use, "licence": card.licence}

    def targets(self, packs: Sequence[Pack], *, dimension: int) -> NDArray[np.float32]:
        """Unit embeddings of all rows of packs, one pack after the other.

        They are kept in the cache folder under the hashes of the teacher and of the pack, so that a run that goes on,
        or another student of the same pack, does not make them again.

        Args:
            packs: Crops.
            dimension: What the student gives.

        Returns:
            float32 ``(N, dimension)``.

        Raises:
            UsageError: The teacher gives embeddings of another length, or takes other crops.
        """
        if self._embedder.card.dimension != dimension:
            raise UsageError(
                f"the teacher {self._model} gives {self._embedder.card.dimension} values and the student {dimension}; "
                f"build the backbone with dimension: {self._embedder.card.dimension}"
            )
        return self.embed(packs)

    def embed(self, packs: Sequence[Pack]) -> NDArray[np.float32]:
        """Unit embeddings of all rows of packs, float32 ``(N, D)``; see `targets`."""
        return np.concatenate([self._of(pack) for pack in packs])

    def _of(self, pack: Pack) -> NDArray[np.float32]:
        """Of one pack, part by part, from the cache where they were made before."""
        sha, dimension = self._embedder.card.sha256, self._embedder.card.dimension
        parts = []
        for start in range(0, len(pack), _KEPT):
            stop = min(start + _KEPT, len(pack))
            name = f"teacher-{sha[:16]}-{pack.meta.fingerprint[:32]}-{start}-{stop}.npy"
            made = cached(name, lambda start=start, stop=stop: self._made(pack, start, stop).tobytes())  # type: ignore[misc]
            parts.append(np.frombuffer(made, np.float32).reshape(stop - start, dimension))
        return np.concatenate(parts)

    def _made(self, pack: Pack, first: int, last: int) -> NDArray[np.float32]:
        parts = []
        for start in range(first, last, _CHUNK):
            pixels = np.array(pack.pixels[start : min(start + _CHUNK, last)])
            matrices = np.tile(np.eye(2, 3, dtype=np.float32), (len(pixels), 1, 1))
            crops = Crops(pixels, matrices, pack.meta.template, Status((None,) * len(pixels)), pack.meta.detector)
            parts.append(self._embedder.embed(crops).vectors)
        return np.concatenate(parts).astype(np.float32)
