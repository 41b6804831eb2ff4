"""dlib's recogniser behind the protocol of every other one: a second embedder for cross-checks."""

from __future__ import annotations

import threading
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from visavis._require import require
from visavis._version import __version__
from visavis.cards import WeightCard
from visavis.errors import ModelError, UsageError
from visavis.recognition.template_rows import embed_rows, template_space
from visavis.runtime.session import EngineOptions
from visavis.runtime.weights import find_weights, read_weights
from visavis.types import Crops, Provenance, Templates, TemplateSpace

_BATCH = 16


class DlibEmbedder:
    """Makes templates of 150 x 150 crops; safe to share between threads, which take turns.

    Its raw embeddings have norms near 1.4 and were trained for Euclidean distances with a threshold of 0.6; here,
    as everywhere, they are compared by cosine.

    Args:
        card: Weights and contract.
        engine: Must not ask for another engine: dlib runs its own, in fp32 on the CPU.
        flip: Average the embedding of the crop and of its mirror image.
        policy: Licence policy, ``research`` or ``commercial``.

    Raises:
        DependencyError: dlib is not installed.
        ModelError: Weights missing, damaged or refused.
    """

    def __init__(
        self, card: WeightCard, *, engine: EngineOptions | None = None, flip: bool = False, policy: str | None = None
    ) -> None:
        dlib = require("dlib", extra="dlib", why="dlib's recogniser")
        if engine is not None and engine.device == "cuda":
            raise UsageError("dlib's recogniser runs on the CPU here; ask for device='cpu'")
        _, self.card = read_weights(card, policy=policy)
        try:
            self._network = dlib.face_recognition_model_v1(str(find_weights(card)))
        except RuntimeError as error:
            raise ModelError(f"dlib cannot read {card.name}: {error}", reason="model.damaged") from error
        self.flip = flip
        self._turn = threading.Lock()
        self.made_by = Provenance(card.name, "dlib", "fp32", version("dlib-bin"), __version__)

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
        """Raw embeddings ``(N, 128)`` of uint8 RGB crops ``(N, 150, 150, 3)``."""
        values = self._run(pixels)
        return ((values + self._run(pixels[:, :, ::-1])) / 2).astype(np.float32) if self.flip else values

    def _run(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        parts = []
        for start in range(0, len(pixels), _BATCH):
            chips = [np.ascontiguousarray(chip) for chip in pixels[start : start + _BATCH]]
            with self._turn:
                found = self._network.compute_face_descriptor(chips)
            parts.append(np.array([np.array(one) for one in found], np.float32))
        return np.concatenate(parts)
