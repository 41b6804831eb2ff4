import json
import math
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis import FMR, Pipeline
from visavis.calibration.fit import fit_verification
from visavis.calibration.table import LEAST_EVENTS, Calibration, Point, shipped
from visavis.errors import ModelError, UsageError
from visavis.protocols.ledger import Ledger

WORDS = dict(name="x", space="0123", population="dice", caution="none", provenance={"roles": ["calibrate"]})


def fitted(nonmated, mated=None):
    return fit_verification(nonmated, mated, **WORDS)


def impostors(seed=0, count=20_000, decimals=None):
    scores = np.random.default_rng(seed).normal(0.05, 0.1, count).astype(np.float32)
    return scores if decimals is None else scores.round(decimals)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 99), st.integers(600, 9_000), st.sampled_from([None, 2, 1]), st.booleans())
def test_each_threshold_is_the_least_that_keeps_its_rate(seed, count, decimals, double):
    scores = impostors(seed, count, decimals).astype(np.float64 if double else np.float32)
    try:
        found = fitted(scores)
    except UsageError:  # ties leave fewer than two thresholds
        assert decimals == 1
        return
    for point in found.points:
        events = int((scores >= point.threshold).sum())
        assert point.events == events <= point.fmr * count * (1 + 1e-12)
        lower = scores[scores < point.threshold].max()  # the next lower threshold accepts one more score
        assert (scores >= lower).mean() > point.fmr
    rates = [point.fmr for point in found.points]
    steps = np.log10(0.1 / np.array(rates)) * 10
    assert np.allclose(steps, steps.round()) and rates[0] == pytest.approx(0.1)
    assert rates[-1] * count >= LEAST_EVENTS > rates[-1] * count / 10 ** (0.1 if decimals is None else 2)


def test_a_double_that_rounds_up_does_not_slip_in():
    scores = impostors(1).astype(np.float64) + 1e-9  # between two single-precision numbers
    for point in fitted(scores).points:
        assert (scores >= point.threshold).mean() <= point.fmr


def test_missed_mated_pairs_stand_beside_each_point_and_failed_ones_are_missed():
    mated = np.append(np.random.default_rng(2).normal(0.4, 0.15, 500), [np.nan] * 10)
    found = fitted(impostors(), mated)
    for point in found.points:
        assert point.fnmr == sum(not score >= point.threshold for score in mated) / 510
    assert found.provenance == {"roles": ["calibrate"], "nonmated_pairs": 20_000, "mated_pairs": 510}


@pytest.mark.parametrize("mated", [None, []])
def test_without_mated_pairs_nothing_is_said_about_them(mated):
    found = fitted(impostors(), mated)
    assert {point.fnmr for point in found.points} == {None} and found.provenance["mated_pairs"] == 0
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        (np.append(impostors(), np.nan), "NaN"),
        (np.append(impostors(), np.inf), "pairs"),
        (impostors(count=599), "at least 600 impostor pairs; got 599"),
        ([], "got 0"),
        (np.zeros(5000), "two operating points"),
    ],
)
def test_scores_that_allow_no_calibration_are_refused(scores, words):
    with pytest.raises(UsageError, match=words):
        fitted(scores)


def test_600_pairs_are_just_enough():
    assert len(fitted(impostors(count=600)).points) == 4  # 60, 47, 37, 30 of them


# thresholds of operating points


@pytest.fixture(scope="module")
def table():
    return fitted(impostors())


def test_measured_points_are_met_and_those_between_lie_between(table):
    for left, right in zip(table.points, table.points[1:], strict=False):
        assert table.threshold(FMR(left.fmr)) == left.threshold
        inside = [table.threshold(FMR(rate)) for rate in np.geomspace(left.fmr, right.fmr, 7)[1:-1]]
        assert left.threshold < inside[0] and inside[-1] < right.threshold and sorted(set(inside)) == inside
        middle = table.threshold(FMR(math.sqrt(left.fmr * right.fmr)))
        assert middle == pytest.approx((left.threshold + right.threshold) / 2)


def test_a_stricter_rate_never_has_a_lower_threshold(table):
    rates = np.sort(np.random.default_rng(0).uniform(0.0016, 0.1, 300))
    thresholds = [table.threshold(FMR(rate)) for rate in rates]
    assert thresholds == sorted(thresholds, reverse=True)


@pytest.mark.parametrize("rate", [0.11, 0.5, 1e-3, 1e-9])
def test_a_rate_that_was_not_measured_says_which_were(table, rate):
    with pytest.raises(ModelError) as caught:
        table.threshold(FMR(rate))
    message = caught.value.message
    assert caught.value.reason == "calibration.range"
    assert f"{FMR(rate)} is outside" in message and "from fmr=0.1 to fmr=0.0016" in message and "20000" in message
    for end in (table.points[0].fmr, table.points[-1].fmr):
        table.threshold(FMR(end))


# the record


def test_a_record_comes_back_as_it_was(table):
    record = json.loads(json.dumps(table.to_dict(), allow_nan=False))
    assert Calibration.from_dict(record) == table
    assert Calibration.from_dict(fitted(impostors(), [0.5]).to_dict()).points[0].fnmr == 0.0


def damaged(record, **changes):
    return {name: value for name, value in {**record, **changes}.items() if value != "gone"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"points": "gone"}, "points"),
        ({"population": "gone"}, "population"),
        ({"points": [{"fmr": 0.1}]}, "threshold"),
        ({"points": [{"fmr": 0.1, "threshold": 0.2, "events": 30, "tar": 1}]}, "tar"),
        ({"points": []}, "two or more"),
        ({"points": 3}, "not a calibration"),
        ({"treshold": 0.3}, "treshold"),
    ],
)
def test_a_record_with_missing_or_unknown_fields_is_refused(table, change, words):
    with pytest.raises(UsageError, match=words):
        Calibration.from_dict(damaged(table.to_dict(), **change))


@pytest.mark.parametrize("points", [[(0.1, 0.2)], [(0.01, 0.2), (0.1, 0.3)], [(0.1, 0.3), (0.01, 0.2)]])
def test_points_go_from_lax_to_strict(table, points):
    with pytest.raises(UsageError, match="falling"):
        Calibration(**{**WORDS, "kind": "verification", "points": tuple(Point(*point, events=30) for point in points)})


# the calibration that ships


@pytest.fixture(scope="module")
def default():
    return Pipeline()


def test_the_shipped_table_is_of_the_default_pipeline(default):
    found = default.calibration()
    assert found == shipped(default.space.fingerprint)
    assert found.space == default.space.fingerprint and found.kind == "verification"
    assert found.name == default.embedder.card.calibration
    with pytest.raises(ModelError, match=f"shipped: .*{found.space}") as caught:
        shipped("no such space")
    assert caught.value.reason == "calibration.missing"


def test_its_provenance_names_calibrate_people_and_the_committed_ledger(default):
    provenance = default.calibration().provenance
    assert all(set(provenance[side]["roles"]) == {"calibrate"} for side in ("nonmated", "mated"))
    assert provenance["ledger"] == Ledger.load().hash
    assert provenance["detector"] == default.space.detector
    assert default.detector.working_size.tag in provenance["detector"]
    assert provenance["made_by"]["model"] == default.made_by.model
    assert provenance["nonmated"]["people"] == 1457  # all LFW people of role calibrate


def test_each_stored_rate_holds_and_the_promised_ones_are_there(default):
    found = default.calibration()
    pairs = found.provenance["nonmated_pairs"]
    assert all(LEAST_EVENTS <= point.events <= point.fmr * pairs for point in found.points)
    assert all(0 <= point.fnmr <= 1 for point in found.points)
    assert [point.fnmr for point in found.points] == sorted(point.fnmr for point in found.points)
    for rate in (1e-2, 1e-3, 1e-4):
        assert -1 < found.threshold(FMR(rate)) < 1
    people = 1457
    assert pairs <= 1530 * 1529 / 2 and pairs >= people * (people - 1) / 2


def test_its_population_and_caution_are_said_with_every_decision(default, astronaut):
    decision = default.verify([astronaut], [astronaut], at=FMR(1e-3))
    found = default.calibration()
    assert decision.population == found.population and found.caution in decision.warnings
    assert decision.threshold == found.threshold(FMR(1e-3)) and decision.calibration == found.name


def test_the_files_that_ship_are_strict_json():
    for entry in resources.files("visavis.calibration").joinpath("tables").iterdir():
        json.loads(entry.read_text(encoding="utf-8"), parse_constant=lambda word: pytest.fail(word))
