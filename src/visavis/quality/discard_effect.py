"""What discarding faces below a fused score does: measured on calibration people, stored beside the weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from visavis.errors import UsageError


@dataclass(frozen=True, slots=True)
class EffectRow:
    """The effect of one threshold of the fused score.

    Attributes:
        below: Faces whose fused score is lower are discarded.
        faces: Share of faces that go.
        pairs: Share of mated pairs that go: those of which either face does.
        errors: False non-matches among the pairs that are left.
        left: Mated pairs that are left.
        fnmr: Their false non-match rate.
        fnmr_interval: 95 % over people.
        gated: Whether ten errors and ten others are left, so that the rate carries a claim.
    """

    below: int
    faces: float
    pairs: float
    errors: int
    left: int
    fnmr: float
    fnmr_interval: tuple[float, float]
    gated: bool


@dataclass(frozen=True, slots=True)
class DiscardEffect:
    """The effect of every threshold, in one template space.

    Attributes:
        space: Fingerprint of the template space it holds for.
        at: The false match rate for which the model's shipped threshold decides.
        population: Whom it was measured on.
        share: Of the pictures that were degraded in ``mixed``, by operators of the set ``fit``.
        stored: A row a threshold, pictures as they are stored.
        mixed: The same with degraded pictures among them.
    """

    space: str
    at: float
    population: str
    share: float
    stored: tuple[EffectRow, ...]
    mixed: tuple[EffectRow, ...]

    def below(self, score: float) -> tuple[EffectRow, EffectRow]:
        """The rows, stored and mixed, of the highest tabulated threshold that does not exceed a score.

        Raises:
            UsageError: A score outside 0..100.
        """
        if not 0 <= score <= 100:
            raise UsageError(f"faces are discarded below a fused score of 0..100; got {score:g}")
        row = max(number for number, one in enumerate(self.stored) if one.below <= score)
        return self.stored[row], self.mixed[row]


@cache
def shipped_effect() -> DiscardEffect:
    """The table of the default model, made by ``benchmarks/choose_fused_quality.py``."""
    held = json.loads(Path(__file__).with_name("discard_effect.json").read_text("utf-8"))
    stored, mixed = (tuple(_row(one) for one in held[part]) for part in ("stored", "mixed"))
    return DiscardEffect(held["space"], held["at"], held["population"], held["share"], stored, mixed)


def effect_of(space: str) -> DiscardEffect | None:
    """The table that holds for a template space; None where none was measured."""
    table = shipped_effect()
    return table if table.space == space else None


def _row(held: dict[str, Any]) -> EffectRow:
    low, high = held["fnmr_interval"]
    return EffectRow(**{**held, "fnmr_interval": (low, high)})
