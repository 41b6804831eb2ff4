"""Both conventions of error versus discard: hand-made cases, a slow reference, ties, weights, and how they differ."""

import numpy as np
import pytest

from visavis.errors import UsageError
from visavis.metrics import (
    Recomputing,
    discard_curve,
    edc_fixed,
    edc_recomputed,
    fnmr_at_fmr,
    person_bootstrap,
    person_weights,
    threshold_at_fmr,
)

GRID = np.arange(20) * 0.05


def drawn(seed, *, levels=9, pairs=120):
    rng = np.random.default_rng(seed)
    same = rng.random(pairs) < 0.5
    similarities = np.round(rng.normal(np.where(same, 1, 0), 1), 1)
    similarities[rng.random(pairs) < 0.05] = np.nan
    quality = rng.integers(levels, size=pairs).astype(float)
    quality[np.isnan(similarities)] = -np.inf
    return similarities, same, quality, rng.integers(1, 4, size=pairs).astype(float)


def slow(similarities, same, quality, fmr, times):
    """FNMR at each share by leaving out whole qualities while they fit in it, and setting the threshold anew."""
    rows = [column.repeat(times) for column in (similarities, same, quality)]
    scores, mated, value = rows
    found = []
    for share in GRID:
        keep = np.ones(len(value), bool)
        for level in sorted(set(value)):
            smaller = value > level
            if 1 - smaller.sum() / len(value) <= share + 1e-12:
                keep = smaller
        if not (keep & mated).any() or not (keep & ~mated).any():
            found.append(np.nan)
            continue
        found.append(fnmr_at_fmr(scores[keep & mated], scores[keep & ~mated], fmr=fmr))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_the_curve_is_that_of_starting_over_at_every_share(seed):
    similarities, same, quality, weights = drawn(seed)
    for fmr in (0.0, 0.05, 0.3):
        plain = edc_recomputed(similarities, same, quality, fmr=fmr)
        np.testing.assert_allclose(plain.discarded, GRID)
        np.testing.assert_allclose(plain.fnmr, slow(similarities, same, quality, fmr, 1), atol=1e-12)
        weighted = Recomputing.of(similarities, same, quality, fmr=fmr).curve(weights)
        expected = slow(similarities, same, quality, fmr, weights.astype(int))
        np.testing.assert_allclose(weighted.fnmr, expected, atol=1e-12)


def test_the_hand_case_of_a_fixed_threshold():
    """Four mated pairs, one wrong and of the lowest quality: an error of a quarter, then none."""
    similarities, quality = [0.1, 0.6, 0.7, 0.8], [1, 2, 3, 4]
    curve = discard_curve(similarities, [1] * 4, quality, threshold=0.5)
    assert curve.at(0) == 0.25 and curve.at(0.25) == 0
    assert 0.5 * curve.area(0.5) == pytest.approx(0.0625)
    fixed = edc_fixed([*similarities, 0.45, 0.49], [1] * 4 + [0] * 2, [*quality, 9, 9], fmr=0)
    assert fixed.fnmr.tolist() == curve.fnmr.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_a_fixed_threshold_is_that_of_all_nonmated_pairs(seed):
    similarities, same, quality, _ = drawn(seed)
    threshold = threshold_at_fmr(similarities[~same], 0.1)
    fixed, reference = (
        edc_fixed(similarities, same, quality, fmr=0.1),
        discard_curve(similarities, same, quality, threshold=threshold),
    )
    np.testing.assert_array_equal(fixed.fnmr, reference.fnmr)
    start = edc_recomputed(similarities, same, quality, fmr=0.1)
    assert start.fnmr[0] == fixed.at(0) and start.threshold[0] == threshold, "before anything goes they agree"


def test_discarding_hard_impostors_is_rewarded_by_the_recomputed_threshold_alone():
    mated, easy, hard = np.full(50, 0.5), np.full(40, 0.1), np.full(10, 0.9)
    similarities, same = np.concatenate([mated, easy, hard]), np.repeat([True, False], 50)
    quality = np.concatenate([np.full(90, 2.0), np.full(10, 1.0)])
    assert edc_fixed(similarities, same, quality, fmr=0.01).fnmr.tolist() == [1.0]
    anew = edc_recomputed(similarities, same, quality, fmr=0.01)
    assert anew.fnmr[:3].tolist() == [1.0, 1.0, 0.0]
    assert anew.area(0.1) == pytest.approx((0.05 + 0.025) / 0.1), "straight from 1 at 5 % to 0 at 10 %"


def test_the_area_is_that_of_the_trapezoids():
    curve = edc_recomputed(*drawn(3)[:3], fmr=0.1)
    for limit in (0.05, 0.2, 0.33):
        shares = np.linspace(0, limit, 40001)
        assert curve.area(limit) == pytest.approx(np.interp(shares, curve.discarded, curve.fnmr).mean(), abs=1e-5)
    for wrong in (0, 0.97, 2):
        with pytest.raises(UsageError):
            curve.area(wrong)


def test_the_bootstrap_of_people_takes_its_area():
    similarities, same, quality, _ = drawn(1, pairs=400)
    people = np.arange(400) // 4
    statistic = Recomputing.of(similarities, same, quality, fmr=0.1).area_statistic(0.2)
    interval = person_bootstrap(people, people, statistic, resamples=50, rng=np.random.default_rng(0))
    assert interval.low <= statistic(np.ones(400)) <= interval.high
    assert statistic(np.ones(400)) == edc_recomputed(similarities, same, quality, fmr=0.1).area(0.2)
    assert np.isnan(statistic(np.zeros(400)))
    values = [statistic(w) for w in person_weights(people, people, 50, np.random.default_rng(0))]
    assert np.quantile(values, 0.025) == pytest.approx(interval.low)


@pytest.mark.parametrize(
    ("quality", "same", "words"), [([1.0], [1, 0], "one quality a pair"), ([1.0, 2.0], [1, 1], "one kind only")]
)
def test_what_cannot_be_recomputed_is_refused(quality, same, words):
    with pytest.raises(UsageError, match=words):
        edc_recomputed([0.1, 0.2], same, quality, fmr=0.1)


def test_a_fixed_threshold_needs_nonmated_pairs():
    with pytest.raises(UsageError, match="non-mated"):
        edc_fixed([0.1, 0.2], [1, 1], [1, 2], fmr=0.1)
