"""Scorers beside the built-in ones: each is made for an embedder, where it fits one, and shown after the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from visavis.quality.assessor import ScaledScorer

EXTRA: Mapping[str, str] = {
    "attention": "visavis.quality.attention:attention_scorer",
}
"""By measure, ``module:function``: from an embedder (anything with a ``card``, or None) to its `ScaledScorer`, or to
None where the scorer does not fit that embedder. Imported when an assessor is made for a pipeline."""


def extra_scorers(embedder: Any) -> dict[str, ScaledScorer]:
    """The scorers of `EXTRA` that fit an embedder, by measure, in the order of the table."""
    made = {name: _function(target)(embedder) for name, target in EXTRA.items()}
    return {name: scorer for name, scorer in made.items() if scorer is not None}


def _function(target: str) -> Callable[[Any], ScaledScorer | None]:
    module, _, name = target.partition(":")
    return cast("Callable[[Any], ScaledScorer | None]", getattr(import_module(module), name))
