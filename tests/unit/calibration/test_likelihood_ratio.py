"""Likelihood ratios against the closed form of two normal distributions."""

import math

import numpy as np
import pytest

from visavis.calibration.impostors import Impostors
from visavis.calibration.likelihood_ratio import cllr, fit_log10_lr, log10_lr
from visavis.errors import UsageError

RNG = np.random.default_rng(0)
WIDTH = 0.1
NONMATED = np.clip(RNG.normal(0.0, WIDTH, 400_000), -1, 1)
MATED = np.clip(RNG.normal(0.4, WIDTH, 20_000), -1, 1)
PAIRS = Impostors.of_pairs(NONMATED, [f"a{row % 900}" for row in range(400_000)], ["b"] * 400_000)
KNOTS = fit_log10_lr(PAIRS, MATED)


def _true(similarity):
    """log10 of N(0.4, w) over N(0, w)."""
    return (0.4 * similarity - 0.08) / WIDTH**2 / math.log(10)


@pytest.mark.parametrize("similarity", [0.13, 0.15, 0.2, 0.25, 0.28])
def test_it_is_the_ratio_of_the_two_densities(similarity):
    assert log10_lr(KNOTS, similarity) == pytest.approx(_true(similarity), abs=0.12)


def test_it_rises_and_claims_no_more_than_thirty_pairs_show():
    values = [log10_lr(KNOTS, similarity) for similarity in np.linspace(-1, 1, 400)]
    assert values == sorted(values)
    assert values[-1] <= math.log10(1 / (30 / 400_000)) and values[-1] == log10_lr(KNOTS, 0.99)
    assert values[0] >= math.log10((30 / 20_000) / 1)


def test_its_cost_is_that_of_the_true_ratios():
    other = np.random.default_rng(1)
    mated, nonmated = other.normal(0.4, WIDTH, 20_000), other.normal(0.0, WIDTH, 20_000)
    one, two = np.array([_true(s) for s in mated]), np.array([_true(s) for s in nonmated])
    best = (np.log2(1 + 10.0**-one).mean() + np.log2(1 + 10.0**two).mean()) / 2
    assert best <= cllr(KNOTS, mated, nonmated) < best + 0.01
    assert cllr(((-1.0, 0.0), (1.0, 0.0)), mated, nonmated) == pytest.approx(1.0)


def test_shuffled_labels_show_nothing():
    knots = fit_log10_lr(PAIRS, np.random.default_rng(2).normal(0.0, WIDTH, 20_000))
    assert max(abs(value) for _, value in knots) < 0.3


@pytest.mark.parametrize(
    ("mated", "word"),
    [([0.4] * 59, "at least 60"), ([np.nan] * 100, "NaN"), ([0.99] * 500, "hardly overlap")],
)
def test_too_little_is_refused(mated, word):
    with pytest.raises(UsageError, match=word):
        fit_log10_lr(PAIRS, mated)
