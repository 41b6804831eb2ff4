"""Attention: how a vision transformer that recognises faces looks at this one."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from visavis.cards import WeightCard
from visavis.errors import UsageError
from visavis.quality.attention_calibration import AttentionCalibration, attention_calibration, shipped_calibration
from visavis.quality.column import quality_column
from visavis.quality.flat import without_flat
from visavis.types import FaceContext, Quality

MEASURE = "attention"


class AttendingNetwork(Protocol):
    """A network of its own, of which only the attention is wanted."""

    def attention(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """From uint8 RGB crops ``(N, H, W, 3)`` to float32 ``(N, patches)``."""
        ...


class AttentionScorer:
    """Measure ``attention``: the mean attention logit of the last block, as a percentile of reference faces.

    ATTN-FIQA (FG 2026, arXiv 2604.22841). Nothing is trained: a network that recognises faces answers weaker, or
    stronger, where it finds little to go by; which of the two, and on what scale, the calibration says.

    Args:
        calibration: Of the network; that of ``embedder/visavis-vit-t`` when None.
        network: A network of its own; None to take what the recogniser told in the run that embedded.
    """

    def __init__(
        self, calibration: AttentionCalibration | None = None, *, network: AttendingNetwork | None = None
    ) -> None:
        self.scale = calibration or shipped_calibration("embedder/visavis-vit-t")
        self._network = network

    def applies(self, context: FaceContext) -> bool:
        """Whether the scorer has a network of its own, or the recogniser that it was calibrated for was used."""
        return self._network is not None or _is_told(context, self.scale.sha256)

    def assess(self, context: FaceContext) -> Quality:
        """One percentile a face; a crop of one colour has score 0.

        Raises:
            UsageError: The recogniser is another one, or tells no attention.
        """
        raw = self.maps(context).mean(axis=1)
        column = quality_column(
            MEASURE,
            raw,
            self.scale,
            context.status,
            unit="",
            reason=lambda *_: "the transformer looks at it as at a poor picture",
        )
        return without_flat(column, context)

    def maps(self, context: FaceContext) -> NDArray[np.float32]:
        """The attention that each patch receives, float32 ``(N, patches)``, row by row; NaN in failed rows.

        The mean of a row is the raw value of `assess`.

        Raises:
            UsageError: The recogniser is another one, or tells no attention.
        """
        if self._network is not None:
            return _own(self._network, context)
        if context.attention is None or not _is_told(context, self.scale.sha256):
            raise UsageError(
                f"the quality measure {MEASURE} needs the run of {self.scale.model}, which it was calibrated for; give "
                "it a network of its own, or leave the measure out"
            )
        return context.attention


def _is_told(context: FaceContext, sha256: str) -> bool:
    templates = context.templates
    return context.attention is not None and templates is not None and templates.space.recogniser == sha256


def _own(network: AttendingNetwork, context: FaceContext) -> NDArray[np.float32]:
    good = np.flatnonzero(context.status.ok)
    if not good.size:
        return np.full((len(context), 1), np.nan, np.float32)
    found = network.attention(context.crops.pixels[good])
    rows = np.full((len(context), found.shape[1]), np.nan, np.float32)
    rows[good] = found
    return rows


def attention_scorer(embedder: Any) -> AttentionScorer | None:
    """The scorer of a recogniser that tells its attention and has a calibration; else None.

    Args:
        embedder: Anything; one with a ``card`` and ``tells_attention`` counts.
    """
    card = getattr(embedder, "card", None)
    if not isinstance(card, WeightCard) or not getattr(embedder, "tells_attention", False):
        return None
    calibration = attention_calibration(card)
    return None if calibration is None else AttentionScorer(calibration)
