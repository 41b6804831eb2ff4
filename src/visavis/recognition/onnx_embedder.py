"""A recogniser of any ArcFace-type network, on any engine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visavis._version import __version__
from visavis.cards import WeightCard
from visavis.errors import ModelError
from visavis.recognition.template_rows import embed_rows, template_space
from visavis.runtime.pixels import INPUT
from visavis.runtime.session import EngineOptions, open_session
from visavis.runtime.weights import prepared_weights
from visavis.runtime.workers import ordered_map
from visavis.types import Crops, Provenance, Templates, TemplateSpace

_BATCH = 4
"""Crops a run: as fast as eight or sixteen here, and their activations stay in the cache of one core."""


class OnnxEmbedder:
    """Makes templates of aligned crops; safe to share between threads.

    Args:
        card: Weights and contract.
        engine: Engine, precision, threads; the defaults of the environment when None.
        flip: Average the embedding of the crop and of its mirror image; costs twice the time.
        policy: Licence policy, ``research`` or ``commercial``.

    Raises:
        ModelError: Weights missing or refused, or not of the dimension the card says.
    """

    def __init__(
        self, card: WeightCard, *, engine: EngineOptions | None = None, flip: bool = False, policy: str | None = None
    ) -> None:
        options = engine or EngineOptions.default()
        data, self.card = prepared_weights(card, policy=policy, int8=options.precision == "int8")
        self.session = open_session(data, options, name=card.name)
        self.flip = flip
        self._workers = options.workers
        self.made_by = Provenance(
            card.name, self.session.engine, self.session.precision, self.session.version, __version__
        )
        probe = self._run(np.zeros((1, *(card.contract.size or (112, 112)), 3), np.uint8))
        if probe.shape != (1, card.dimension):
            raise ModelError(
                f"{card.name} gives embeddings of shape {probe.shape[1:]}, its card says ({card.dimension},)",
                reason="model.refused",
            )

    def space(self, detector: str) -> TemplateSpace:
        """The space of templates made of crops that a detector placed."""
        return template_space(self.card, detector=detector, flip=self.flip)

    def embed(self, crops: Crops) -> Templates:
        """One template a crop, in order; failed crops give failed templates.

        Raises:
            UsageError: The crops follow another template than the network expects.
        """
        return embed_rows(crops, self.card, self.raw, flip=self.flip, made_by=self.made_by)

    def raw(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Raw embeddings ``(N, D)`` of uint8 RGB crops ``(N, H, W, 3)``, on all workers."""
        count = len(pixels)
        size = max(1, min(_BATCH, -(-count // self._workers)))
        parts = [pixels[start : start + size] for start in range(0, count, size)]
        return np.concatenate(list(ordered_map(self._run, parts, workers=min(self._workers, len(parts)))))

    def _run(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        values = self.session.run({INPUT: np.ascontiguousarray(pixels)})[0]
        if self.flip:
            mirrored = np.ascontiguousarray(pixels[:, :, ::-1])
            values = ((values + self.session.run({INPUT: mirrored})[0]) / 2).astype(np.float32)
        return values.reshape(len(pixels), -1)
