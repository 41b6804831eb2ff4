"""QualityResult: what an error-versus-discard run found, ready for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.metrics import (
    DiscardCurve,
    Discarding,
    Interval,
    Statistic,
    gated,
    pair_quality,
    person_bootstrap,
    threshold_at_fmr,
)
from visavis.metrics.discard import LIMIT
from visavis.protocols.pairs import PairList
from visavis.protocols.people import PairPeople
from visavis.protocols.plain import plain
from visavis.quality.fusion import FUSED
from visavis.types import FMR

LEVEL = 0.95
"""Nominal coverage of every interval."""
SHARES = (0.0, 0.05, 0.1, 0.2, 0.3)
"""The shares of mated pairs after whose loss a result quotes the FNMR."""
PERMUTATIONS = 200
"""How many random qualities the row of random rests on."""
_POINTS = 200
_DRAWN_TO = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityResult:
    """One error-versus-discard run; every field is a key of `to_dict`.

    Attributes:
        model: The recogniser.
        space: Fingerprint of its template space.
        made_by: Engine, precision and versions.
        at: The false match rate at which the threshold was fixed.
        threshold: That threshold, read off the non-mated pairs of all lists: an oracle threshold.
        pairs: Number of pairs; ``mated`` and ``nonmated`` of them.
        mated: Number of pairs of one person.
        nonmated: Number of pairs of two people.
        lists: Pairs of each list.
        people: Number of distinct people.
        images: Number of distinct pictures.
        failed: Pairs with a failed side; they have the lowest quality and are errors until they are discarded.
        failed_images: Number of failed pictures by reason.
        limit: The share of mated pairs up to which a curve is summed up.
        measures: By measure, ``quality`` being the fused score: ``fnmr``, ``fnmr_interval`` and ``errors`` by
            discarded share, ``discarded`` (the share that really went: pairs of one quality go together), ``pauc``
            (mean FNMR up to the limit) with interval, ``difference`` of it from the flat line of random with interval
            (below 0 is better than random), ``ratio_at_20`` (FNMR after 20 % over FNMR before) with interval,
            ``behind_fused`` (its mean FNMR less that of the fused score, on the same resamples) with interval: above 0
            the fused score is better.
        acquisition: The same figures of a quality that knows failed faces only, which every measure discards first:
            what a measure gains beyond this is its own.
        random: The same figures of qualities drawn at random: the mean over permutations, intervals over permutations.
        ungated: Whether fewer than ten mated pairs are wrong, so that no claim rests on the run.
        level: Nominal coverage of the intervals.
        roles: People by role in the ledger.
        ledger: sha256 of the people ledger.
        notes: Sentences that belong next to the figures.
        seed: Seed of resamples and random qualities.
        resamples: Number of resamples of people.
        curves: By measure, ``discarded`` and ``fnmr`` of at most 200 points, for plots.
    """

    model: str
    space: str
    made_by: Mapping[str, Any]
    at: float
    threshold: float
    pairs: int
    mated: int
    nonmated: int
    lists: tuple[int, ...]
    people: int
    images: int
    failed: int
    failed_images: Mapping[str, int]
    limit: float
    measures: Mapping[str, Mapping[str, Any]]
    acquisition: Mapping[str, Any]
    random: Mapping[str, Any]
    ungated: bool
    level: float
    roles: Mapping[str, int]
    ledger: str
    notes: tuple[str, ...]
    seed: int
    resamples: int
    curves: Mapping[str, Mapping[str, list[float]]]

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON: plain numbers, strings, lists and dictionaries; None for what is undefined."""
        return {"kind": "quality-discard", **{field.name: plain(getattr(self, field.name)) for field in fields(self)}}


def quality_result(
    similarities: ArrayLike,
    pairs: PairList,
    qualities: Mapping[str, NDArray[np.float64]],
    *,
    people: PairPeople,
    at: FMR,
    images: int,
    failed_images: Mapping[str, int],
    lists: Sequence[int],
    roles: Mapping[str, int],
    ledger_sha256: str,
    notes: Sequence[str],
    model: str,
    space: str,
    made_by: Mapping[str, Any],
    seed: int = 0,
    resamples: int = 1000,
) -> QualityResult:
    """All figures of an error-versus-discard run.

    Args:
        similarities: Float ``(P,)``, one a pair; NaN where a side failed.
        pairs: The pairs.
        qualities: By measure, ``quality`` for the fused score, one value a distinct picture in the order of
            `PairList.images`; higher is better, NaN for a failed picture.
        people: Of the pairs.
        at: The false match rate at which the threshold is fixed, on these non-mated pairs.
        images: Number of pictures that were read.
        failed_images: How many of them failed, by reason.
        lists: Pairs of each list.
        roles: People by role, see `Ledger.roles`.
        ledger_sha256: Hash of the ledger.
        notes: Sentences that belong next to the figures.
        model: The recogniser.
        space: Fingerprint of its template space.
        made_by: Engine, precision, versions.
        seed: Seed of resamples and random qualities.
        resamples: Number of resamples of people.

    Raises:
        UsageError: Arrays that do not fit, no mated or no non-mated pair.
    """
    scores, same = np.asarray(similarities, np.float64), pairs.same
    threshold = threshold_at_fmr(scores[~same], at.rate)
    left, right = pairs.positions()

    def discarding(values: NDArray[np.float64]) -> Discarding:
        return Discarding.of(scores, same, pair_quality(values[left], values[right]), threshold=threshold)

    def interval(statistic: Statistic) -> tuple[float, float]:
        rng = np.random.default_rng(seed)
        return _ends(person_bootstrap(people.person1, people.person2, statistic, resamples=resamples, rng=rng))

    sorted_once = {name: discarding(values) for name, values in qualities.items()}
    curves = {name: one.curve() for name, one in sorted_once.items()}
    some = next(iter(qualities.values()))
    failures = discarding(np.where(np.isnan(some), np.nan, 0.0))
    rng = np.random.default_rng(seed)
    drawn = [discarding(rng.permutation(len(some)).astype(np.float64)).curve() for _ in range(PERMUTATIONS)]
    wrong = round(next(iter(curves.values())).at(0.0) * int(same.sum()))
    return QualityResult(
        model=model,
        space=space,
        made_by=dict(made_by),
        at=at.rate,
        threshold=threshold,
        pairs=len(pairs),
        mated=int(same.sum()),
        nonmated=int((~same).sum()),
        lists=tuple(lists),
        people=people.number,
        images=images,
        failed=int(np.isnan(scores).sum()),
        failed_images=dict(failed_images),
        limit=LIMIT,
        measures={
            name: {
                **_figures(sorted_once[name], curves[name], interval, int(same.sum())),
                **_behind(sorted_once[name], sorted_once[FUSED], interval),
            }
            for name in qualities
        },
        acquisition=_figures(failures, failures.curve(), interval, int(same.sum())),
        random=_random(drawn),
        ungated=not gated(wrong, int(same.sum())),
        level=LEVEL,
        roles=dict(roles),
        ledger=ledger_sha256,
        notes=(*notes, *_own_notes(people, roles, at, threshold)),
        seed=seed,
        resamples=resamples,
        curves={name: _thin(curve) for name, curve in {**curves, "random": drawn[0]}.items()},
    )


def _figures(one: Discarding, curve: DiscardCurve, interval: Any, mated: int) -> dict[str, Any]:
    def difference(weights: NDArray[np.float64]) -> float:
        found = one.curve(weights)
        return found.area(LIMIT) - found.at(0.0)

    def ratio(weights: NDArray[np.float64]) -> float:
        found = one.curve(weights)
        return _ratio(found)

    gone = {share: _step(curve, share) for share in SHARES}
    return {
        "fnmr": {f"{share:g}": curve.at(share) for share in SHARES},
        "fnmr_interval": {f"{share:g}": interval(one.at_statistic(share)) for share in SHARES},
        "errors": {f"{share:g}": round(curve.at(share) * (1 - gone[share]) * mated) for share in SHARES},
        "discarded": {f"{share:g}": gone[share] for share in SHARES},
        "pauc": curve.area(LIMIT),
        "pauc_interval": interval(one.area_statistic(LIMIT)),
        "difference": curve.area(LIMIT) - curve.at(0.0),
        "difference_interval": interval(difference),
        "ratio_at_20": _ratio(curve),
        "ratio_at_20_interval": interval(ratio),
    }


def _behind(one: Discarding, fused: Discarding, interval: Any) -> dict[str, Any]:
    def difference(weights: NDArray[np.float64] | None) -> float:
        return one.curve(weights).area(LIMIT) - fused.curve(weights).area(LIMIT)

    return {"behind_fused": difference(None), "behind_fused_interval": interval(difference)}


def _ratio(curve: DiscardCurve) -> float:
    before = curve.at(0.0)
    return curve.at(0.2) / before if before > 0 else math.nan


def _step(curve: DiscardCurve, share: float) -> float:
    return float(curve.discarded[np.searchsorted(curve.discarded, share + 1e-12, side="right") - 1])


def _random(curves: Sequence[DiscardCurve]) -> dict[str, Any]:
    at = {share: np.array([curve.at(share) for curve in curves]) for share in SHARES}
    area = np.array([curve.area(LIMIT) for curve in curves])
    ratio = np.array([_ratio(curve) for curve in curves])
    return {
        "permutations": len(curves),
        "fnmr": {f"{share:g}": float(values.mean()) for share, values in at.items()},
        "fnmr_interval": {f"{share:g}": _middle(values) for share, values in at.items()},
        "pauc": float(area.mean()),
        "pauc_interval": _middle(area),
        "difference": float((area - at[0.0]).mean()),
        "difference_interval": _middle(area - at[0.0]),
        "ratio_at_20": float(ratio.mean()),
        "ratio_at_20_interval": _middle(ratio),
    }


def _middle(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _ends(found: Interval) -> tuple[float, float]:
    return found.low, found.high


def _thin(curve: DiscardCurve) -> dict[str, list[float]]:
    rows = np.flatnonzero(curve.discarded <= _DRAWN_TO)
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(_POINTS, len(rows))).round().astype(int))]
    return {
        "discarded": [round(value, 5) for value in curve.discarded[rows].tolist()],
        "fnmr": [round(value, 6) for value in curve.fnmr[rows].tolist()],
    }


def _own_notes(people: PairPeople, roles: Mapping[str, int], at: FMR, threshold: float) -> list[str]:
    notes = [
        f"The threshold {threshold:.4f} was read off these very pairs at {at} and then kept: the curves compare "
        "qualities, they do not promise an error rate."
    ]
    if people.linked:
        notes.append("The list does not name its people: pictures that mated pairs link count as one person.")
    fitted = sum(roles.get(role, 0) for role in ("train", "develop"))
    if fitted:
        notes.append(
            f"{fitted} of the people are of a role that quality was fitted or chosen on: not a held-out result."
        )
    return notes
