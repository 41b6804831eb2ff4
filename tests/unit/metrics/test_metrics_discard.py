"""Error-versus-discard curves: hand-made cases, a slow reference, ties, failures, weights, and what random does."""

import numpy as np
import pytest

from visavis.errors import UsageError
from visavis.metrics import Discarding, discard_curve, pair_quality, person_bootstrap


def slow(similarities, same, quality, threshold, weights):
    """Discarded share and FNMR for every quality, by leaving out the pairs one level at a time."""
    rows = [(q, w, not s >= threshold) for s, m, q, w in zip(similarities, same, quality, weights, strict=True) if m]
    total = sum(w for _, w, _ in rows)
    found = []
    for level in sorted({q for q, _, _ in rows}):
        left = [(w, wrong) for q, w, wrong in rows if q >= level]
        mass = sum(w for w, _ in left)
        if mass:
            found.append((1 - mass / total, sum(w for w, wrong in left if wrong) / mass))
    return np.array(found)


def drawn(seed, *, levels=7, pairs=60):
    rng = np.random.default_rng(seed)
    similarities = rng.normal(size=pairs)
    similarities[rng.random(pairs) < 0.1] = np.nan
    quality = rng.integers(levels, size=pairs).astype(float)
    quality[np.isnan(similarities)] = -np.inf
    same = rng.random(pairs) < 0.7
    return similarities, same, quality, rng.integers(4, size=pairs).astype(float)


@pytest.mark.parametrize("seed", range(20))
def test_the_curve_is_that_of_leaving_pairs_out_level_by_level(seed):
    similarities, same, quality, weights = drawn(seed)
    plain = discard_curve(similarities, same, quality, threshold=0.1)
    reference = slow(similarities, same, quality, 0.1, np.ones(len(same)))
    np.testing.assert_allclose(np.column_stack([plain.discarded, plain.fnmr]), reference, atol=1e-12)
    weighted = Discarding.of(similarities, same, quality, threshold=0.1).curve(weights)
    reference = slow(similarities, same, quality, 0.1, weights)
    np.testing.assert_allclose(np.column_stack([weighted.discarded, weighted.fnmr]), reference, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_a_whole_number_weight_is_that_many_copies(seed):
    similarities, same, quality, weights = drawn(seed)
    times = weights.astype(int)
    copies = [np.repeat(column, times) for column in (similarities, same, quality)]
    weighted = Discarding.of(similarities, same, quality, threshold=0.0)
    copied = discard_curve(*copies, threshold=0.0)
    for share in (0.0, 0.1, 0.25, 0.5):
        assert weighted.at_statistic(share)(weights) == pytest.approx(copied.at(share))
    assert weighted.area_statistic(0.3)(weights) == pytest.approx(copied.area(0.3))


def test_the_area_is_the_mean_of_the_curve():
    similarities, same, quality, _ = drawn(3)
    curve = discard_curve(similarities, same, quality, threshold=0.0)
    shares = (np.arange(20000) + 0.5) / 20000 * 0.4
    assert curve.area(0.4) == pytest.approx(np.mean([curve.at(share) for share in shares]), abs=1e-3)


def test_pairs_of_one_quality_go_together():
    curve = discard_curve([0, 1, 1, 1], [1] * 4, [1, 1, 2, 2], threshold=0.5)
    assert curve.discarded.tolist() == [0, 0.5] and curve.fnmr.tolist() == [0.25, 0]
    assert curve.at(0.49) == 0.25 and curve.at(0.5) == 0
    assert discard_curve([0, 1, 1], [1] * 3, [4, 4, 4], threshold=0.5).at(0.9) == 1 / 3


def test_failed_faces_go_first_and_are_errors_until_they_do():
    quality = pair_quality([np.nan, 10, 30], [90, 20, 40])
    curve = discard_curve([np.nan, 0.9, 0.9], [1, 1, 1], quality, threshold=0.5)
    assert curve.at(0) == 1 / 3 and curve.at(0.34) == 0 and curve.quality.tolist() == [-np.inf, 10, 30]


def test_a_perfect_quality_removes_an_error_for_every_pair_and_the_reverse_none():
    similarities = np.repeat([0.0, 1.0], [20, 80])
    same = np.ones(100, bool)
    perfect = discard_curve(similarities, same, np.arange(100.0), threshold=0.5)
    worst = discard_curve(similarities, same, -np.arange(100.0), threshold=0.5)
    for gone in (0.05, 0.1, 0.15, 0.2):
        assert perfect.at(gone) == pytest.approx((0.2 - gone) / (1 - gone))
        assert worst.at(gone) == pytest.approx(0.2 / (1 - gone))


def test_discarding_at_random_is_flat_on_average():
    rng = np.random.default_rng(0)
    similarities, same = np.repeat([0.0, 1.0], [30, 170]), np.ones(200, bool)
    at = [discard_curve(similarities, same, rng.permutation(200), threshold=0.5).at(0.2) for _ in range(400)]
    assert np.mean(at) == pytest.approx(0.15, abs=3 * np.std(at) / 20)


def test_the_bootstrap_of_people_takes_its_statistics():
    similarities, same, quality, _ = drawn(1, pairs=200)
    people = np.arange(200) // 4
    sorted_once = Discarding.of(similarities, same, quality, threshold=0.0)
    interval = person_bootstrap(
        people, people, sorted_once.at_statistic(0.2), resamples=100, rng=np.random.default_rng(0)
    )
    assert interval.low <= sorted_once.curve().at(0.2) <= interval.high
    assert np.isnan(sorted_once.at_statistic(0.2)(np.zeros(200))) and np.isnan(
        sorted_once.area_statistic()(np.zeros(200))
    )


@pytest.mark.parametrize(
    ("quality", "same", "words"),
    [([1.0], [1, 1], "one quality a pair"), ([1.0, 2.0], [0, 0], "mated pairs; there is none")],
)
def test_what_cannot_be_a_curve_is_refused(quality, same, words):
    with pytest.raises(UsageError, match=words):
        discard_curve([0.1, 0.2], same, quality, threshold=0.0)


def test_shares_and_shapes_are_checked():
    curve = discard_curve([0.1, 0.2], [1, 1], [1, 2], threshold=0.15)
    for call in (lambda: curve.at(1.5), lambda: curve.area(0), lambda: pair_quality([1, 2], [1])):
        with pytest.raises(UsageError):
            call()
