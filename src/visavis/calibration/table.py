"""Calibration: from an operating point to a threshold, with the population it holds for."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from visavis.errors import ModelError, UsageError
from visavis.types import FMR

LEAST_EVENTS = 30
"""A threshold is given only where at least this many impostor pairs lie above it."""


@dataclass(frozen=True, slots=True)
class Point:
    """One operating point that was measured.

    Attributes:
        fmr: The false match rate that the threshold keeps to; the realised one is ``events`` over all pairs.
        threshold: Least similarity that is accepted.
        events: Impostor pairs at or above the threshold.
        fnmr: False non-match rate of the genuine pairs at the threshold; None when there were none.
    """

    fmr: float
    threshold: float
    events: int
    fnmr: float | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """Thresholds of one template space on one population.

    Attributes:
        name: For example ``sface.2021dec``.
        kind: ``verification``.
        space: Fingerprint of the template space it was fitted in.
        population: Whom the false match rate was measured on; printed with every rate.
        points: Operating points, falling false match rate, rising threshold.
        caution: What a reader must know before relying on it.
        provenance: Data, roles, ledger hash, counts, model, engine, versions.
    """

    name: str
    kind: str
    space: str
    population: str
    points: tuple[Point, ...]
    caution: str
    provenance: dict[str, Any]

    def __post_init__(self) -> None:
        rates = [point.fmr for point in self.points]
        thresholds = [point.threshold for point in self.points]
        if len(rates) < 2 or sorted(rates, reverse=True) != rates or sorted(thresholds) != thresholds:
            raise UsageError("a calibration needs two or more points, false match rate falling, threshold rising")

    def threshold(self, at: FMR) -> float:
        """The threshold of an operating point.

        Between measured points the threshold is interpolated over the logarithm of the rate.

        Raises:
            ModelError: The rate lies outside what was measured; the message says what is possible.
        """
        highest, lowest = self.points[0].fmr, self.points[-1].fmr
        if not lowest <= at.rate <= highest:
            raise ModelError(
                f"the calibration {self.name} reaches from fmr={highest:.2g} to fmr={lowest:.2g} ({LEAST_EVENTS} or "
                f"more of its {self.provenance.get('nonmated_pairs', '?')} impostor pairs above the threshold); {at} "
                "is outside. Ask for a rate between, or fit a calibration on more people",
                reason="calibration.range",
            )
        logs = [math.log(point.fmr) for point in reversed(self.points)]
        values = [point.threshold for point in reversed(self.points)]
        return float(np.interp(math.log(at.rate), logs, values))

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Calibration:
        """Read what `to_dict` wrote.

        Raises:
            UsageError: Fields are missing or unknown.
        """
        try:
            points = tuple(Point(**point) for point in record["points"])
            return cls(**{**record, "points": points})
        except (KeyError, TypeError) as error:
            raise UsageError(f"not a calibration: {error}") from error


@cache
def _tables() -> dict[str, Calibration]:
    found = {}
    for entry in files("visavis.calibration").joinpath("tables").iterdir():
        if entry.name.endswith(".json"):
            calibration = Calibration.from_dict(json.loads(entry.read_text(encoding="utf-8")))
            found[calibration.space] = calibration
    return found


def shipped(space: str) -> Calibration:
    """The calibration that ships for a template space.

    Raises:
        ModelError: There is none.
    """
    found = _tables().get(space)
    if found is None:
        raise ModelError(
            f"no calibration ships for the template space {space}; shipped: {', '.join(sorted(_tables())) or 'none'}. "
            "Use the default detector, rule and model, or fit one with visavis.calibration.fit.fit_verification and "
            "pass it: Pipeline(calibration=...)",
            reason="calibration.missing",
        )
    return found
