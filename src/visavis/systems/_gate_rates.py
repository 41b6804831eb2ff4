"""False rejections at a share of discarded probes, by quality measure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visavis.metrics.discard import Discarding
from visavis.metrics.intervals import Statistic, paired_difference
from visavis.metrics.screening import screened
from visavis.systems._screened_people import Probes

_Float = NDArray[np.float64]


def gate_rates(probes: Probes, *, share: float, others: Sequence[str], permutations: int) -> dict[str, float]:
    """Figures of the shipped landmark forest, of other measures and of discarding at random.

    Args:
        probes: The comparisons.
        share: Share of the probes to discard, those of the lowest quality; failed ones first.
        others: Further measures; those that the probes lack are left out.
        permutations: Number of random qualities.

    Returns:
        By name. ``frr before``; ``frr after``, ``frr random``, ``frr failed alone`` and ``frr MEASURE`` at the share,
        at the same verifier threshold; their ratios to before; ``shipped``: what the shipped threshold discards, what
        is left of false rejections, and the share of people who are lost, at the share of 30 % too.
    """
    quality = probes.measures["landmark"]
    rng = np.random.default_rng(0)
    before = _rate(probes, np.zeros(len(quality)), 0.0)
    random = np.mean([_rate(probes, rng.permutation(len(quality)).astype(float), share) for _ in range(permutations)])
    after = _rate(probes, quality, share)
    failed = np.isnan(quality)
    gate = screened(probes.similarities, probes.people, probes.accept, threshold=probes.threshold)
    at_share = screened(probes.similarities, probes.people, _kept(quality, share), threshold=probes.threshold)
    return {
        "probes": float(len(quality)),
        "people": float(gate.people),
        "people not enrolled": float(probes.not_enrolled),
        "failed probes": float(failed.mean()),
        "frr before": before,
        "frr after": after,
        "frr random": float(random),
        "frr failed alone": _rate(probes, np.where(failed, np.nan, 0.0), share),
        "frr after / before": after / before if before else float("nan"),
        "frr random / before": float(random) / before if before else float("nan"),
        "people lost": at_share.lost / gate.people,
        "shipped threshold, discarded": gate.discarded,
        "shipped threshold, frr": gate.after,
        "shipped threshold, people lost": gate.lost / gate.people,
        **{f"frr by {name}": _rate(probes, probes.measures[name], share) for name in others if name in probes.measures},
    }


def difference(
    found: Sequence[Probes], measure: str, other: str | None, *, share: float, resamples: int = 400
) -> tuple[float, float]:
    """95 % interval over people of the rate by one measure less that by another, mean of the repetitions.

    Args:
        found: Repetitions on the same probes, moved differently.
        measure: The measure.
        other: What it is compared with; None for the rate before.
        share: Share of the probes to discard.
        resamples: Number of resamples of people.
    """
    people = found[0].people
    interval = paired_difference(
        people,
        people,
        _mean([_discarding(one, one.measures[measure]).at_statistic(share) for one in found]),
        _mean(
            [_discarding(one, one.measures[other or measure]).at_statistic(share if other else 0.0) for one in found]
        ),
        resamples=resamples,
        rng=np.random.default_rng(0),
    )
    return interval.low, interval.high


def _mean(statistics: Sequence[Statistic]) -> Statistic:
    return lambda weights: float(np.mean([statistic(weights) for statistic in statistics]))


def _discarding(probes: Probes, quality: _Float) -> Discarding:
    mated = np.ones(len(quality), np.bool_)
    return Discarding.of(probes.similarities, mated, quality, threshold=probes.threshold)


def _rate(probes: Probes, quality: _Float, share: float) -> float:
    return _discarding(probes, quality).curve().at(share)


def _kept(quality: _Float, share: float) -> NDArray[np.bool_]:
    """Which probes are left when those of the lowest quality are gone, at most so many."""
    values = np.where(np.isnan(quality), -np.inf, quality)
    least = np.sort(values)[min(int(share * len(values) + 1e-9), len(values) - 1)]
    return np.asarray(values >= least)
