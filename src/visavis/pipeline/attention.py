"""Recognisers that tell what they attend to, from what a user writes as a model."""

from __future__ import annotations

from typing import Any

from visavis.cards import WeightCard
from visavis.errors import ModelError
from visavis.pipeline.models import attending_card, model_card
from visavis.quality.attention import AttentionScorer
from visavis.quality.attention_calibration import attention_calibration
from visavis.recognition.onnx_embedder import OnnxEmbedder
from visavis.runtime.session import EngineOptions


def attending_embedder(
    model: str | WeightCard, *, engine: EngineOptions | None = None, policy: str | None = None
) -> OnnxEmbedder:
    """A recogniser with the output of its attention, whatever its card says.

    Args:
        model: As for `visavis.pipeline.models.model_card`.
        engine: Engine, precision, threads; the defaults of the environment when None.
        policy: Licence policy, ``research`` or ``commercial``.

    Raises:
        ModelError: Unknown, missing or refused, or no vision transformer in ONNX.
    """
    card: Any = model_card(model, kind="embedder")
    made = attending_card(card)(engine=engine, policy=policy) if isinstance(card, WeightCard) else None
    if not isinstance(made, OnnxEmbedder) or not made.tells_attention:
        raise ModelError(
            f"{getattr(card, 'name', model)} tells no attention: it is no network in ONNX. Give a vision transformer, "
            "such as embedder/visavis-vit-t",
            reason="model.attention",
        )
    return made


def own_attention_scorer(
    model: str | WeightCard, *, engine: EngineOptions | None = None, policy: str | None = None
) -> AttentionScorer:
    """The quality measure ``attention`` of a network of its own, beside whatever recogniser is used.

    Args:
        model: As for `attending_embedder`.
        engine: As there.
        policy: As there.

    Raises:
        ModelError: As `attending_embedder`, or the network has no attention calibration.
    """
    embedder = attending_embedder(model, engine=engine, policy=policy)
    calibration = attention_calibration(embedder.card)
    if calibration is None:
        raise ModelError(
            f"{embedder.card.name} has no attention calibration, so that its scores have neither sign nor scale; fit "
            f"one: visavis calibrate-attention PEOPLE --model {model if isinstance(model, str) else 'MODEL'}",
            reason="model.attention",
        )
    return AttentionScorer(calibration, network=embedder)
