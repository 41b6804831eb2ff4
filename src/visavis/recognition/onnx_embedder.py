"""A recogniser of any ArcFace-type network, on any engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from visavis._version import __version__
from visavis.cards import WeightCard
from visavis.errors import ModelError, UsageError
from visavis.recognition.template_rows import embed_rows, template_space
from visavis.runtime.attention import ATTENTION, REWRITE
from visavis.runtime.pixels import INPUT
from visavis.runtime.session import EngineOptions, open_session
from visavis.runtime.told import TOLD
from visavis.runtime.weights import prepared_weights
from visavis.runtime.workers import ordered_map
from visavis.types import Crops, Provenance, Templates, TemplateSpace

T = TypeVar("T")
_BATCH = 4
"""Crops a run: as fast as eight or sixteen here, and their activations stay in the cache of one core."""


class OnnxEmbedder:
    """Makes templates of aligned crops; safe to share between threads.

    Args:
        card: Weights and contract.
        engine: Engine, precision, threads; the defaults of the environment when None.
        flip: Average the embedding of the crop and of its mirror image; costs twice the time.
        policy: Licence policy, ``research`` or ``commercial``.

    Attributes:
        tells: What the network tells beside the embedding, out of `visavis.runtime.told.TOLD`.
        tells_attention: Whether the network has the output of the rewrite ``tell-attention``.

    Raises:
        ModelError: Weights missing or refused, or not of the dimension the card says.
    """

    def __init__(
        self, card: WeightCard, *, engine: EngineOptions | None = None, flip: bool = False, policy: str | None = None
    ) -> None:
        options = engine or EngineOptions.default()
        data, self.card = prepared_weights(card, policy=policy, int8=options.precision == "int8")
        self.session = open_session(data, options, name=card.name)
        self.tells = tuple(name for name in TOLD if name in self.session.output_names[1:])
        self.tells_attention = ATTENTION in self.tells
        self._outputs = self.session.output_names[:1]
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

    def tell(self, crops: Crops) -> tuple[Templates, dict[str, NDArray[np.float32]]]:
        """As `embed`, and from the same run whatever else the network tells.

        Args:
            crops: As for `embed`. With ``flip`` it is told of the crop alone, without its mirror image.

        Returns:
            Templates, and by the names of `tells` float32 with a row a crop, NaN in failed rows: ``attention``
            ``(N, patches)`` of `visavis.runtime.attention`, ``recognizability`` ``(N,)``.

        Raises:
            UsageError: The crops follow another template.
        """
        found: list[list[NDArray[np.float32]]] = []

        def run(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            embeddings, *told = self._all(pixels)
            found.append(told)
            return embeddings

        templates = embed_rows(crops, self.card, run, flip=self.flip, made_by=self.made_by)
        columns = {}
        for place, name in enumerate(self.tells):
            shape = found[0][place].shape[1:] if found else TOLD[name]
            columns[name] = np.full((len(crops), *shape), np.nan, np.float32)
            if found:
                columns[name][crops.ok] = found[0][place]
        return templates, columns

    def attention(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the last block attends to in uint8 RGB crops ``(N, H, W, 3)``: float32 ``(N, patches)``.

        Raises:
            UsageError: The network does not tell its attention.
        """
        if not self.tells_attention:
            raise UsageError(
                f"{self.card.name} was made without the output of its attention; add the rewrite {REWRITE} to its card"
            )
        return self._all(pixels)[1 + self.tells.index(ATTENTION)]

    def raw(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Raw embeddings ``(N, D)`` of uint8 RGB crops ``(N, H, W, 3)``, on all workers."""
        return np.concatenate(self._on_workers(self._run, pixels))

    def _all(self, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Raw embeddings, and what the network tells, in the order of `tells`."""
        parts = self._on_workers(self._run_all, pixels)
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    def _on_workers(self, run: Callable[[NDArray[np.uint8]], T], pixels: NDArray[np.uint8]) -> list[T]:
        """What a function makes of a few crops at a time, in order."""
        count = len(pixels)
        size = max(1, min(_BATCH, -(-count // self._workers)))
        parts = [pixels[start : start + size] for start in range(0, count, size)]
        return list(ordered_map(run, parts, workers=min(self._workers, len(parts))))

    def _run(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        values = self.session.run({INPUT: np.ascontiguousarray(pixels)}, self._outputs)[0]
        return self._averaged(values, pixels)

    def _run_all(self, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        outputs = (*self._outputs, *self.tells)
        values, *told = self.session.run({INPUT: np.ascontiguousarray(pixels)}, outputs)
        return [self._averaged(values, pixels), *told]

    def _averaged(self, values: NDArray[np.float32], pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """With the embeddings of the mirrored crops, where these are averaged in."""
        if self.flip:
            mirrored = np.ascontiguousarray(pixels[:, :, ::-1])
            values = ((values + self.session.run({INPUT: mirrored}, self._outputs)[0]) / 2).astype(np.float32)
        return values.reshape(len(values), -1)
