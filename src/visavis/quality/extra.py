"""Scorers beside the built-in ones: each is made for an embedder, where it fits one, and shown after the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from visavis.quality.attention import attention_scorer
from visavis.quality.distance import distance_scorer
from visavis.quality.landmark import landmark_scorer
from visavis.quality.recognizability import recognizability_scorer

if TYPE_CHECKING:
    from visavis.quality.assessor import ScaledScorer

EXTRA: Mapping[str, Callable[[Any], ScaledScorer | None]] = {
    "landmark": landmark_scorer,
    "attention": attention_scorer,
    "recognizability": recognizability_scorer,
    "distance": distance_scorer,
}
"""By measure, from an embedder (anything with a ``card``, or None) to its `ScaledScorer`, or to None where the scorer
does not fit that embedder."""


def extra_scorers(embedder: Any) -> dict[str, ScaledScorer]:
    """The scorers of `EXTRA` that fit an embedder, by measure, in the order of the table."""
    made = {name: make(embedder) for name, make in EXTRA.items()}
    return {name: scorer for name, scorer in made.items() if scorer is not None}
