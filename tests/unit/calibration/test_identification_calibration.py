"""Thresholds of searches: exact chances, slow references, and what happens beyond what was measured."""

import itertools
import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from visavis.calibration.fit import fit_verification
from visavis.calibration.identification import IdentificationTable, SearchPoint
from visavis.calibration.identification_fit import Strangers, fit_identification, hits
from visavis.calibration.impostors import Impostors
from visavis.calibration.table import Calibration, shipped
from visavis.errors import ModelError, UsageError
from visavis.types import FPIR

SPACES = ("13bd72afcfcadc93", "26f1eacec61b465b", "72cb186087ea9f03", "cc7a1a0ecaa8aecd")


def unit(count, dimension=16, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def crowd():
    return unit(400)


@pytest.fixture(scope="module")
def table(crowd):
    return fit_identification(crowd, range(len(crowd)), rng=np.random.default_rng(0))


@pytest.mark.parametrize(("pool", "size"), [(6, 1), (6, 3), (6, 6), (7, 2)])
def test_the_chance_of_a_hit_counts_all_galleries(pool, size):
    for c, chance in enumerate(hits(pool, size)):
        galleries = list(itertools.combinations(range(pool), size))
        assert chance == pytest.approx(sum(min(one) < c for one in galleries) / len(galleries))


def test_fpir_is_that_of_every_gallery_one_could_draw():
    rows = unit(7, 3)
    strangers = Strangers.of(rows)
    for threshold in (-0.2, 0.3, 0.6):
        events = [
            max(float(rows[probe] @ rows[entry]) for entry in gallery) >= threshold
            for probe in range(7)
            for gallery in itertools.combinations([other for other in range(7) if other != probe], 3)
        ]
        assert strangers.fpir(threshold, size=3) == pytest.approx(np.mean(events))


def test_a_gallery_of_one_is_a_pair(crowd):
    strangers = Strangers.of(crowd)
    pairs = (crowd @ crowd.T)[~np.eye(len(crowd), dtype=bool)]
    assert strangers.fpir(0.5, size=1) == pytest.approx((pairs >= 0.5).mean(), abs=1e-5)


def test_each_threshold_keeps_to_its_rate_and_the_next_lower_similarity_does_not(crowd, table):
    strangers = Strangers.of(crowd)
    for point in table.points:
        below = strangers.scores[strangers.above(point.threshold)]
        assert strangers.fpir(point.threshold, size=point.size) <= point.fpir * (1 + 1e-9)
        assert strangers.fpir(float(below), size=point.size) > point.fpir
        assert point.events >= 10


def test_thresholds_rise_with_the_gallery_and_with_strictness(table):
    values = [table.threshold(0.05, size=size) for size in (1, 3, 10, 50, 200, 399, 5000)]
    assert values == sorted(values)
    assert table.threshold(0.1, size=50) < table.threshold(0.05, size=50)
    assert table.reach(0.1) == (1, 399)


def test_the_error_is_that_of_leaving_people_out_one_by_one():
    rows = unit(120)
    table = fit_identification(rows, range(120), rng=np.random.default_rng(0))
    tile, chance = rows @ rows.T, hits(119, 50)
    np.fill_diagonal(tile, -1)
    told = []
    for point in (one for one in table.points if one.size == 50):
        rates = [Strangers.of(np.delete(rows, person, axis=0)).fpir(point.threshold, size=50) for person in range(120)]
        jackknife = math.sqrt(119 / 120 * ((np.array(rates) - np.mean(rates)) ** 2).sum()) / np.mean(rates)
        # The jackknife counts the part of single pairs twice; once it is taken off: what the rate loses with each pair.
        above = np.maximum(tile, tile.T) >= point.threshold
        loss = chance[above.sum(axis=1)] - chance[np.maximum(above.sum(axis=1) - 1, 0)]
        single = sum((loss[a] + loss[b]) ** 2 for a, b in zip(*np.nonzero(np.triu(above)), strict=True)) / 120**2
        single /= chance[above.sum(axis=1)].mean() ** 2
        wanted = math.sqrt(max(jackknife**2 - single, single))
        assert point.error == pytest.approx(wanted, rel=0.03)
        told.append(wanted / jackknife)
    assert min(told) < 0.9 < len(told)


def test_the_error_is_the_spread_of_other_peoples_rates(table):
    point = next(one for one in table.points if one.size == 100 and one.fpir == pytest.approx(0.1))
    rates = [Strangers.of(unit(400, seed=seed)).fpir(point.threshold, size=100) for seed in range(1, 31)]
    assert np.std(np.log(rates)) == pytest.approx(point.error, rel=0.45)


def test_beyond_the_largest_gallery_the_threshold_goes_on_with_the_logarithm_of_the_size():
    points = tuple(
        SearchPoint(size, rate, 0.2 + 0.05 * math.log10(size) - 0.04 * math.log10(rate), 20, 10, 0.3)
        for size in (1, 10, 100, 1000)
        for rate in (0.1, 0.01)
    )
    table = IdentificationTable(1001, points)
    assert table.threshold(0.01, size=1_000_000) == pytest.approx(0.2 + 0.05 * 6 + 0.04 * 2)
    assert table.threshold(10**-1.5, size=30) == pytest.approx(0.2 + 0.05 * math.log10(30) + 0.04 * 1.5)
    assert table.error(0.01, size=10**6) == pytest.approx(0.3)


def test_the_slope_is_that_of_the_last_decade_of_all_rates_together():
    """Least squares over the last decade with a level of each rate, by dummy variables."""
    rng = np.random.default_rng(0)
    points, rows, values = [], [], []
    for number, (rate, sizes) in enumerate([(0.1, (1, 20, 50, 100, 200, 500)), (0.01, (1, 5, 10, 20, 50))]):
        for size, threshold in zip(sizes, np.sort(rng.uniform(0.3, 0.5, len(sizes))) + 0.3 * number, strict=True):
            points.append(SearchPoint(size, rate, float(threshold), 20, 10, 0.3))
            if size * 10 >= sizes[-1]:
                rows.append([math.log(size), number == 0, number == 1])
                values.append(threshold)
    points.sort(key=lambda one: (one.size, -one.fpir))
    slope = np.linalg.lstsq(np.array(rows, float), np.array(values), rcond=None)[0][0]
    table = IdentificationTable(501, tuple(points))
    assert table.threshold(0.1, size=10**6) == pytest.approx(
        table.threshold(0.1, size=500) + slope * math.log(10**6 / 500)
    )


@pytest.mark.parametrize("space", SPACES)
def test_no_larger_gallery_and_no_stricter_rate_has_a_lower_threshold(space):
    searches = shipped(space).searches()
    sizes = sorted({*searches.sizes, *np.geomspace(1, 10**7, 9).round().astype(int).tolist(), 1457, 2000})
    rates = sorted({*(one.fpir for one in searches.points), *np.geomspace(0.39, 1.001e-4, 9).tolist()}, reverse=True)
    surface = np.array([[searches.threshold(rate, size=size) for size in sizes] for rate in rates])
    assert (np.diff(surface, axis=0) >= -1e-12).all() and (np.diff(surface, axis=1) >= -1e-12).all()
    for point in searches.points:
        assert searches.threshold(point.fpir, size=point.size) == pytest.approx(point.threshold, abs=1e-12)


def test_a_strict_rate_measured_in_small_galleries_alone_is_not_below_a_looser_one():
    measured = [(1, 0.1, 0.2), (1, 0.01, 0.3), (2, 0.1, 0.25), (2, 0.01, 0.31), (10, 0.1, 0.6), (1000, 0.1, 0.6)]
    table = IdentificationTable(1001, tuple(SearchPoint(*one, 20, 10, 0.3) for one in measured))
    assert table.threshold(0.01, size=2) == pytest.approx(0.31)
    assert table.threshold(0.01, size=1000) >= table.threshold(0.1, size=1000) == pytest.approx(0.6)


def test_a_rate_that_was_not_measured_is_refused_with_what_was(table):
    with pytest.raises(ModelError, match=r"measured from 0.39 down to .* on 400 people; fpir=0.9 is outside") as caught:
        table.threshold(0.9, size=10)
    assert caught.value.reason == "calibration.range"
    told = re.findall(r"from (\S+) down to (\S+) on", caught.value.message)[0]
    assert all(table.threshold(float(end), size=10) for end in told)  # what is told may be asked for
    with pytest.raises(UsageError, match="one person at least"):
        table.threshold(0.1, size=0)


def test_people_of_several_pictures_count_once():
    rows = unit(240)
    people = [number % 120 for number in range(240)]
    assert fit_identification(rows, people, rng=np.random.default_rng(0)).people == 120


@pytest.mark.parametrize("count", [2, 99])
def test_too_few_people_are_refused(count):
    with pytest.raises(UsageError, match="100 people or more"):
        fit_identification(unit(count), range(count), rng=np.random.default_rng(0))


def test_a_table_of_mixed_up_points_is_refused():
    points = (SearchPoint(1, 0.1, 0.5, 20, 10, 0.1), SearchPoint(1, 0.01, 0.4, 20, 10, 0.1))
    with pytest.raises(UsageError, match="rising threshold"):
        IdentificationTable(100, points)


@pytest.mark.parametrize("wrong", [{"size": 0}, {"fpir": 1.5}, {"threshold": math.nan}, {"error": -1.0}])
def test_a_point_that_is_none_is_refused(table, wrong):
    with pytest.raises(UsageError, match="finite threshold"):
        replace(table.points[0], **wrong)


@pytest.mark.parametrize("space", SPACES)
def test_what_ships_has_thresholds_of_searches(space):
    calibration = shipped(space)
    again = Calibration.from_dict(json.loads(json.dumps(calibration.to_dict())))
    assert again == calibration
    assert calibration.searches().people == 1457 and calibration.searches().reach(0.01)[1] >= 500
    at = FPIR(0.01)
    small, large = (calibration.search_threshold(at, size=size) for size in (10, 1000))
    assert small < large < calibration.search_threshold(at, size=1000, samples=5)
    rate = calibration.search_rate(at, size=calibration.searches().reach(0.01)[1])
    assert rate.low < 0.01 < rate.high and rate.population == calibration.population
    beyond = calibration.search_rate(at, size=calibration.searches().reach(0.01)[1] + 1)
    assert (beyond.rate, beyond.low, beyond.high) == (0.01, None, None) and "no interval" in str(beyond)
    assert json.loads(json.dumps(beyond.to_dict()))["low"] is None
    # A gallery of one person is a comparison of two pictures: the thresholds of pairs, fitted otherwise, say the same.
    single = calibration.search_threshold(FPIR(0.1), size=1)
    assert single == pytest.approx(calibration.points[0].threshold, abs=0.005)


def test_a_calibration_without_them_says_how_to_get_them():
    calibration = shipped("13bd72afcfcadc93")
    record = calibration.to_dict()
    del record["identification"]
    older = Calibration.from_dict(record)
    with pytest.raises(ModelError, match="visavis calibrate FOLDER") as caught:
        older.search_threshold(FPIR(0.01), size=10)
    assert caught.value.reason == "calibration.identification"


def test_thresholds_are_fitted_where_pairs_are_too_well_apart_for_a_likelihood_ratio():
    rows = unit(120)
    fitted = fit_verification(
        Impostors.of_templates(rows, range(120)), [0.99] * 100, name="apart", space="0" * 16, population="planted",
        caution="-", provenance={},
    )  # fmt: skip
    assert fitted.llr == () and "hardly overlap" in fitted.provenance["no_llr"] and len(fitted.points) > 1
    with pytest.raises(UsageError, match="NaN"):
        fit_verification(
            Impostors.of_templates(rows, range(120)), [np.nan] * 100, name="apart", space="0" * 16,
            population="planted", caution="-", provenance={},
        )  # fmt: skip
