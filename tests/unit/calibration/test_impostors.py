"""Impostor pairs against a loop over all pairs, and their errors against a simulation."""

import itertools
import math

import numpy as np
import pytest

from visavis.calibration import impostors as module
from visavis.calibration.fit import fit_verification
from visavis.calibration.impostors import Impostors
from visavis.calibration.prediction import predicted, relative_error
from visavis.errors import UsageError
from visavis.types import FMR


def _crowd(people, pictures, rng, *, spread=0.0):
    """Unit vectors of people; some of them stand closer to everybody than others."""
    centre = np.zeros(16)
    centre[0] = 1
    rows, owner = [], []
    for person in range(people):
        own = rng.normal(size=16) + centre * (2 + spread * rng.normal())
        for _ in range(pictures if isinstance(pictures, int) else int(rng.integers(*pictures))):
            rows.append(own + 0.6 * rng.normal(size=16))
            owner.append(f"p{person:04}")
    vectors = np.array(rows)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), owner


def test_all_pairs_of_two_persons_are_counted_and_the_highest_kept(monkeypatch):
    rng = np.random.default_rng(0)
    vectors, owner = _crowd(60, (1, 5), rng)
    monkeypatch.setattr(module, "_TILE", 32)
    monkeypatch.setattr(module, "_SAMPLE", 10_000)
    found = Impostors.of_templates(vectors, owner)
    names = sorted(set(owner))
    slow = sorted(
        (
            (float(vectors[i] @ vectors[j]), *sorted((names.index(owner[i]), names.index(owner[j]))))
            for i, j in itertools.combinations(range(len(owner)), 2)
            if owner[i] != owner[j]
        ),
        reverse=True,
    )
    assert found.total == len(slow) == found.histogram.sum()
    kept = len(found.scores)
    assert 0.1 * found.total < kept < 0.16 * found.total
    assert np.allclose(found.scores, [score for score, _, _ in slow[:kept]], atol=1e-6)
    assert found.pairs_of.tolist() == [sum(name in (a, b) for _, a, b in slow) for name in range(len(names))]
    for threshold in found.scores[[3, 40, kept - 1]]:
        assert found.events(float(threshold)) == int((found.scores >= threshold).sum())
    few = {(a, b) for _, a, b in slow[:25]}
    assert found.person_pairs(25) == len(few)


def test_pairs_given_one_by_one_are_the_same():
    vectors, owner = _crowd(40, 3, np.random.default_rng(1))
    every = Impostors.of_templates(vectors, owner)
    one, two = np.triu_indices(len(owner), 1)
    other = np.array(owner)[one] != np.array(owner)[two]
    one, two = one[other], two[other]
    scores = np.einsum("nd,nd->n", vectors[one], vectors[two])
    given = Impostors.of_pairs(scores, [owner[row] for row in one], [owner[row] for row in two])
    assert given.total == every.total and given.pairs_of.tolist() == every.pairs_of.tolist()
    assert np.allclose(given.scores[: len(every.scores)], every.scores, atol=1e-6)
    assert relative_error(given, 50) == pytest.approx(relative_error(every, 50), rel=1e-6)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Impostors.of_pairs([0.1], ["a"], ["a"]), "two persons"),
        (lambda: Impostors.of_pairs([np.nan], ["a"], ["b"]), "NaN"),
        (lambda: Impostors.of_pairs([0.1, 0.2], ["a"], ["b"]), "2 similarities"),
        (lambda: Impostors.of_templates(np.eye(3, dtype=np.float32), ["a", "a", "a"]), "two persons"),
        (lambda: Impostors.of_templates(np.full((2, 3), np.nan, np.float32), ["a", "b"]), "finite"),
    ],
)
def test_what_are_no_impostors_is_refused(make, word):
    with pytest.raises(UsageError, match=word):
        make()


def test_the_jackknife_is_that_of_leaving_each_person_out():
    vectors, owner = _crowd(30, (1, 4), np.random.default_rng(2), spread=1.0)
    pairs = Impostors.of_templates(vectors, owner)
    events = 60
    threshold = pairs.scores[events - 1]
    rates = []
    for name in sorted(set(owner)):
        rest = [row for row, person in enumerate(owner) if person != name]
        less = Impostors.of_templates(vectors[rest], [owner[row] for row in rest])
        rates.append((less.scores >= threshold).sum() / less.total)
    rates = np.array(rates)
    variance = (len(rates) - 1) / len(rates) * ((rates - rates.mean()) ** 2).sum()
    rate = events / pairs.total
    single = rate * (1 - rate) / pairs.total
    assert relative_error(pairs, events) == pytest.approx(math.sqrt(max(variance - single, single)) / rate, rel=1e-3)


def test_no_event_has_no_error_and_any_rate_is_possible():
    vectors, owner = _crowd(30, 1, np.random.default_rng(3))
    assert relative_error(Impostors.of_templates(vectors, owner), 0) == math.inf
    assert predicted(0.0, math.inf, people=30, sample=30) == (0.0, 1.0)


def test_a_larger_sample_varies_less_and_an_endless_one_not_at_all():
    widths = [np.ptp(np.log(predicted(1e-3, 0.2, people=100, sample=size))) for size in (50, 100, 1000, None)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == pytest.approx(2 * 1.959964 * 0.2) and widths[1] == pytest.approx(widths[-1] * math.sqrt(2))


@pytest.mark.parametrize("rate", [1e-1, 1e-2])
def test_the_interval_covers_what_other_people_of_the_population_do(rate):
    """Fit on one crowd, realise on another of the same kind: 95 % of the intervals hold, give or take."""
    rng = np.random.default_rng(4)
    inside = 0
    for _ in range(120):
        ours, theirs = (Impostors.of_templates(*_crowd(120, 1, rng, spread=0.7)) for _ in range(2))
        fitted = fit_verification(ours, name="n", space="s", population="p", caution="c", provenance={})
        interval = fitted.rate(FMR(rate), sample=theirs.people)
        inside += interval.low <= theirs.events(fitted.threshold(FMR(rate))) / theirs.total <= interval.high
    assert 108 <= inside <= 120  # 114 +- 2.5 standard deviations


def test_events_of_few_people_do_not_make_an_operating_point():
    """Forty events of two persons' many pictures are one pair of persons."""
    rng = np.random.default_rng(5)
    scores = np.concatenate([rng.uniform(-0.2, 0.2, 200_000), np.full(400, 0.9)])
    left = [f"a{row % 700}" for row in range(200_000)] + ["twin1"] * 400
    right = [f"b{row % 650}" for row in range(200_000)] + ["twin2"] * 400
    fitted = fit_verification(
        Impostors.of_pairs(scores, left, right), name="n", space="s", population="p", caution="c", provenance={}
    )
    assert all(point.person_pairs >= 30 for point in fitted.points)
    assert fitted.points[-1].fmr > 400 / 200_400
