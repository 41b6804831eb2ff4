"""QualityResult: what an error-versus-discard run found, ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.metrics import DiscardCurve, Discarding, Recomputing, gated, pair_quality, threshold_at_fmr
from visavis.metrics.discard import LIMIT
from visavis.protocols.pairs import PairList
from visavis.protocols.people import PairPeople
from visavis.protocols.plain import plain
from visavis.protocols.quality_figures import LEVEL, SHARES, Figures, Sorted, random_figures
from visavis.quality.fusion import FUSED
from visavis.types import FMR

__all__ = ["SHARES", "QualityResult", "quality_result"]

PERMUTATIONS = 200
"""How many random qualities the row of random rests on."""
_POINTS = 200
_FAILURES, _ORACLE = " failures", " oracle"
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
        degraded: How pictures were degraded before anything was detected in them: ``operators``, ``share``, ``seed``;
            None where they were taken as they are.
        limit: The share of mated pairs up to which a curve is summed up.
        measures: By measure, ``quality`` being the fused score: ``fnmr``, ``fnmr_interval`` and ``errors`` by
            discarded share, ``discarded`` (the share that really went: pairs of one quality go together), ``pauc``
            (mean FNMR up to the limit) with interval, ``difference`` of it from the flat line of random with interval
            (below 0 is better than random), ``ratio_at_20`` (FNMR after 20 % over FNMR before) with interval,
            ``behind_fused`` (its mean FNMR less that of the fused score, on the same resamples) with interval: above 0
            the fused score is better. All of these are ``edc_fixed``: the threshold is that of all pairs.
            ``recomputed_pauc`` with interval, and ``recomputed_behind_fused`` with interval, are ``edc_recomputed``:
            pairs of both kinds go, and the threshold is set anew at every share.
        differences: ``pauc`` of every measure less that of every other, with a paired interval over people: above 0
            the second is better.
        acquisition: The same figures of a quality that knows failed faces only, which every measure discards first:
            what a measure gains beyond this is its own.
        oracle: The same figures of discarding the pairs of least similarity first: what no quality can beat.
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
    degraded: Mapping[str, Any] | None
    limit: float
    measures: Mapping[str, Mapping[str, Any]]
    differences: Sequence[Mapping[str, Any]]
    acquisition: Mapping[str, Any]
    oracle: Mapping[str, Any]
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
    degraded: Mapping[str, Any] | None = None,
    limit: float = LIMIT,
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
        degraded: How pictures were degraded; None where they were not.
        limit: The share of discarded pairs up to which a curve is summed up, above 0.
        seed: Seed of resamples and random qualities.
        resamples: Number of resamples of people.

    Raises:
        UsageError: Arrays that do not fit, no mated or no non-mated pair.
    """
    scores, same = np.asarray(similarities, np.float64), pairs.same
    threshold = threshold_at_fmr(scores[~same], at.rate)
    left, right = pairs.positions()

    def of(quality: NDArray[np.float64]) -> Sorted:
        return Sorted(
            Discarding.of(scores, same, quality, threshold=threshold),
            Recomputing.of(scores, same, quality, fmr=at.rate),
        )

    def pairwise(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return pair_quality(values[left], values[right])

    some = next(iter(qualities.values()))
    controls = {
        _FAILURES: of(pairwise(np.where(np.isnan(some), np.nan, 0.0))),
        _ORACLE: Sorted(Discarding.of(scores, same, _ranks(scores), threshold=threshold)),
    }
    ordered = {name: of(pairwise(values)) for name, values in qualities.items()}
    figures = Figures({**ordered, **controls}, people, limit=limit, seed=seed, resamples=resamples)
    rng = np.random.default_rng(seed)
    shuffled = [pairwise(rng.permutation(len(some)).astype(np.float64)) for _ in range(PERMUTATIONS)]
    drawn = [Discarding.of(scores, same, quality, threshold=threshold).curve() for quality in shuffled]
    shown = {name: figures.curves[name] for name in qualities}
    wrong = round(next(iter(shown.values())).at(0.0) * int(same.sum()))
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
        degraded=None if degraded is None else dict(degraded),
        limit=limit,
        measures={name: {**figures.of(name), **_behind(figures, name)} for name in qualities},
        differences=figures.differences(list(qualities)),
        acquisition=figures.of(_FAILURES),
        oracle=figures.of(_ORACLE),
        random=random_figures(drawn, limit),
        ungated=not gated(wrong, int(same.sum())),
        level=LEVEL,
        roles=dict(roles),
        ledger=ledger_sha256,
        notes=(*notes, *_own_notes(people, roles, at, threshold, degraded)),
        seed=seed,
        resamples=resamples,
        curves={
            name: _thin(curve)
            for name, curve in {**shown, "random": drawn[0], "oracle": figures.curves[_ORACLE]}.items()
        },
    )


def _behind(figures: Figures, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, told in (("pauc", "behind_fused"), ("recomputed_pauc", "recomputed_behind_fused")):
        found[told], found[f"{told}_interval"] = figures.behind(name, FUSED, key)
    return found


def _ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The place of each pair in the order of its similarity, failed pairs first; equal ones one after the other."""
    ranks = np.empty(len(scores))
    ranks[np.argsort(np.where(np.isnan(scores), -np.inf, scores), kind="stable")] = np.arange(len(scores))
    return ranks


def _thin(curve: DiscardCurve) -> dict[str, list[float]]:
    rows = np.flatnonzero(curve.discarded <= _DRAWN_TO)
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(_POINTS, len(rows))).round().astype(int))]
    return {
        "discarded": [round(value, 5) for value in curve.discarded[rows].tolist()],
        "fnmr": [round(value, 6) for value in curve.fnmr[rows].tolist()],
    }


def _own_notes(
    people: PairPeople, roles: Mapping[str, int], at: FMR, threshold: float, degraded: Mapping[str, Any] | None
) -> list[str]:
    notes = [
        f"The threshold {threshold:.4f} was read off these very pairs at {at} and then kept: the curves compare "
        "qualities, they do not promise an error rate."
    ]
    if degraded is not None:
        notes.append(
            f"{100 * degraded['share']:g} % of the pictures were degraded whole, before detection, by operators of "
            f"{degraded['operators']} at levels drawn by name and seed {degraded['seed']}."
        )
    if people.linked:
        notes.append("The list does not name its people: pictures that mated pairs link count as one person.")
    fitted = sum(roles.get(role, 0) for role in ("train", "develop"))
    if fitted:
        notes.append(
            f"{fitted} of the people are of a role that quality was fitted or chosen on: not a held-out result."
        )
    return notes
