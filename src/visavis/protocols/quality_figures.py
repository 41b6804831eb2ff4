"""Error-versus-discard figures of several qualities of the same pairs, on the same resamples of people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.metrics import DiscardCurve, Discarding, Recomputing, person_weights
from visavis.metrics.intervals import percentile_interval
from visavis.protocols.people import PairPeople

LEVEL = 0.95
"""Nominal coverage of every interval."""
SHARES = (0.0, 0.05, 0.1, 0.2, 0.3)
"""The shares of mated pairs after whose loss a result quotes the FNMR."""
_RATIO_AT = 0.2
_Values = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Sorted:
    """One quality of the pairs, sorted for both conventions.

    Attributes:
        fixed: Threshold fixed on all pairs.
        recomputed: Threshold set anew at every share; None where it is not asked for.
    """

    fixed: Discarding
    recomputed: Recomputing | None = None


class Figures:
    """Figures and intervals of several qualities.

    Every resample of people serves all of them, so that differences are paired.

    Args:
        qualities: By name, the sorted pairs.
        people: Of the pairs.
        limit: The share up to which a curve is summed up.
        seed: Of the resamples.
        resamples: Number of resamples of people.
    """

    def __init__(
        self, qualities: Mapping[str, Sorted], people: PairPeople, *, limit: float, seed: int, resamples: int
    ) -> None:
        self._limit = limit
        self._areas = {
            name: None if one.recomputed is None else one.recomputed.area_statistic(limit)
            for name, one in qualities.items()
        }
        self._qualities = dict(qualities)
        self._ones = np.ones(len(people.person1))
        self.curves = {name: one.fixed.curve() for name, one in qualities.items()}
        self._plain = {name: self._row(name, self.curves[name], None) for name in qualities}
        self._drawn: dict[str, _Values] = {name: {key: [] for key in row} for name, row in self._plain.items()}
        rng = np.random.default_rng(seed)
        for weights in person_weights(people.person1, people.person2, resamples, rng):
            for name, one in qualities.items():
                for key, value in self._row(name, one.fixed.curve(weights), weights).items():
                    self._drawn[name][key].append(value)

    def _row(self, name: str, curve: DiscardCurve, weights: NDArray[np.float64] | None) -> dict[str, float]:
        before, area = curve.at(0.0), curve.area(self._limit)
        row = {f"fnmr_{share:g}": curve.at(share) for share in SHARES}
        row |= {"pauc": area, "difference": area - before, "ratio_at_20": ratio(curve)}
        recomputed = self._areas[name]
        if recomputed is not None:
            row["recomputed_pauc"] = recomputed(self._ones if weights is None else weights)
        return row

    def of(self, name: str) -> dict[str, Any]:
        """FNMR after each share, pAUC, difference from random and ratio of one quality, each with its interval."""
        curve, plain = self.curves[name], self._plain[name]
        mated = len(self._qualities[name].fixed.order)
        gone = {share: _step(curve, share) for share in SHARES}
        found: dict[str, Any] = {
            "fnmr": {f"{share:g}": curve.at(share) for share in SHARES},
            "fnmr_interval": {f"{share:g}": self._interval(name, f"fnmr_{share:g}") for share in SHARES},
            "errors": {f"{share:g}": round(curve.at(share) * (1 - gone[share]) * mated) for share in SHARES},
            "discarded": {f"{share:g}": gone[share] for share in SHARES},
        }
        for key in ("pauc", "difference", "ratio_at_20", "recomputed_pauc"):
            if key in plain:
                found |= {key: plain[key], f"{key}_interval": self._interval(name, key)}
        return found

    def behind(self, name: str, other: str, key: str = "pauc") -> tuple[float, tuple[float, float]]:
        """Mean FNMR by one quality less that by another, paired, with its interval: above 0 the other is better."""
        return (
            self._plain[name][key] - self._plain[other][key],
            _ends([a - b for a, b in zip(self._drawn[name][key], self._drawn[other][key], strict=True)]),
        )

    def differences(self, names: list[str]) -> list[dict[str, Any]]:
        """`behind` for every two of the names."""
        return [
            {"first": one, "second": other, "difference": value, "interval": interval}
            for one, other in combinations(names, 2)
            for value, interval in [self.behind(one, other)]
        ]

    def _interval(self, name: str, key: str) -> tuple[float, float]:
        return _ends(self._drawn[name][key])


def ratio(curve: DiscardCurve) -> float:
    """FNMR after 20 % over FNMR before; NaN where nothing is wrong before."""
    before = curve.at(0.0)
    return curve.at(_RATIO_AT) / before if before > 0 else math.nan


def random_figures(curves: list[DiscardCurve], limit: float) -> dict[str, Any]:
    """The figures of qualities drawn at random: means over the draws, and the middle 95 % of them."""
    at = {share: np.array([curve.at(share) for curve in curves]) for share in SHARES}
    area = np.array([curve.area(limit) for curve in curves])
    ratios = np.array([ratio(curve) for curve in curves])
    return {
        "permutations": len(curves),
        "fnmr": {f"{share:g}": float(values.mean()) for share, values in at.items()},
        "fnmr_interval": {f"{share:g}": _middle(values) for share, values in at.items()},
        "pauc": float(area.mean()),
        "pauc_interval": _middle(area),
        "difference": float((area - at[0.0]).mean()),
        "difference_interval": _middle(area - at[0.0]),
        "ratio_at_20": float(ratios.mean()),
        "ratio_at_20_interval": _middle(ratios),
    }


def _middle(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _ends(values: list[float]) -> tuple[float, float]:
    found = percentile_interval(values, LEVEL)
    return found.low, found.high


def _step(curve: DiscardCurve, share: float) -> float:
    return float(curve.discarded[np.searchsorted(curve.discarded, share + 1e-12, side="right") - 1])
