"""Rates, ratios and answers in words."""

import math

import pytest

from cases import a_calibration, a_case
from visavis.report import case_record
from visavis.report.sentences import (
    LIMITS,
    answer_sentence,
    groups_sentence,
    llr_sentence,
    percentage,
    rate_sentence,
    small_rate,
)
from visavis.report.verbal import times, verbal
from visavis.types import FMR


@pytest.mark.parametrize(
    ("ratio", "word"),
    [
        (2, "weak"),
        (9.9, "weak"),
        (11, "moderate"),
        (99, "moderate"),
        (101, "moderately strong"),
        (999, "moderately strong"),
        (1001, "strong"),
        (9999, "strong"),
        (10001, "very strong"),
        (999_999, "very strong"),
        (1_000_001, "extremely strong"),
    ],
)
def test_the_verbal_scale_is_that_of_enfsi_on_both_sides(ratio, word):
    assert verbal(math.log10(ratio) + 1e-9) == f"{word} support for one person"
    assert verbal(-math.log10(ratio) - 1e-9) == f"{word} support for two different people"


@pytest.mark.parametrize("llr", [0.0, 0.3, -0.3])
def test_a_ratio_below_two_supports_neither(llr):
    assert verbal(llr) == "no support for one proposition over the other"


def test_a_ratio_is_told_as_a_multiple_of_the_side_it_favours():
    assert (
        times(3.2)
        == "about 1,600 times as likely if the two sides show one person as if they show two different people"
    )
    assert times(-1).startswith("about 10 times as likely if the two sides show two different people")
    assert times(0.5).startswith("about 3.2 times")


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (1, "100 %"),
        (0.5, "50 %"),
        (0.00999, "1 %"),
        (1.04e-4, "0.01 %"),
        (3.21e-5, "0.0032 %"),
        (1e-7, "0.00001 %"),
        (0, "0 %"),
    ],
)
def test_percentages_keep_two_figures_and_no_powers(rate, words):
    assert percentage(rate) == words


@pytest.mark.parametrize(
    ("rate", "words"), [(0.3, "30 %"), (0.01, "1 in 100"), (1.04e-4, "1 in 9,600"), (0, "none seen")]
)
def test_small_rates_are_told_as_one_in_so_many(rate, words):
    assert small_rate(rate) == words


@pytest.mark.parametrize("similarity", [0.62, 0.1, 0.4001])
def test_a_rate_is_never_told_without_interval_and_population(similarity):
    decision = a_case(similarity).decision
    words = rate_sentence(decision)
    assert decision.population in words and "0.1 %" in words and "95 % confidence" in words
    assert percentage(decision.fmr.low) in words and percentage(decision.fmr.high) in words


def test_a_calibration_without_people_says_that_it_has_no_interval():
    decision = a_case(calibration=a_calibration(intervals=False, groups=None, llr=False)).decision
    assert "no interval" in rate_sentence(decision) and decision.population in rate_sentence(decision)
    assert "no likelihood ratio" in llr_sentence(decision)


def test_the_group_of_a_worst_group_point_is_named_with_its_rate():
    assert "women, green, 30-39" in rate_sentence(a_case(0.7, at=FMR(1e-3, worst_group=True)).decision)


def test_the_answer_says_what_the_numbers_say():
    assert "for one person: the similarity, 0.620, is at or above" in answer_sentence(a_case(0.62).decision)
    assert "for two different people: the similarity, 0.100, is below" in answer_sentence(a_case(0.1).decision)
    unclear = answer_sentence(a_case(0.62, unfit=["b.jpg: the face is blurred"]).decision)
    assert unclear.startswith("No answer is given") and "at or above" in unclear


def test_the_likelihood_ratio_is_given_with_words_and_their_source():
    # log10 LR of the planted curve: 2 at 0.4, rising by 3 over 0.4.
    words = llr_sentence(a_case(0.6).decision)
    assert "3.50" in words and "about 3,200 times" in words and "strong support" in words and "ENFSI 2015" in words


def test_what_it_does_not_prove_names_the_usual_misreadings():
    told = " ".join(LIMITS).lower()
    assert all(word in told for word in ("probability", "twins", "children", "search", "authentic", "examiner"))


def test_groups_and_children_are_told_beside_the_rate():
    words = groups_sentence(a_case(0.62).decision, 0.4, 0.4)
    assert words.startswith("At the same threshold") and "0.32 %" in words and "women, green, 30-39" in words
    assert "9 %" in words and "children under 13" in words
    assert groups_sentence(a_case(calibration=a_calibration(groups=None)).decision, None, 0.4) == ""


def test_groups_that_were_measured_at_another_threshold_say_so():
    # The threshold of the worst group is 0.45; groups were measured at 0.4 and 0.5.
    case = a_case(0.7, at=FMR(1e-3, worst_group=True))
    assert "At a threshold of 0.400" in case_record(case)["decision"]["words"]["groups"]
    assert case_record(a_case())["decision"]["words"]["groups"].startswith("At the same threshold")


@pytest.mark.parametrize(("similarity", "bound"), [(0.95, True), (-0.9, True), (0.62, False)])
def test_a_ratio_at_the_end_of_the_curve_says_that_it_is_the_strongest_there_is(similarity, bound):
    assert ("no stronger" in case_record(a_case(similarity))["decision"]["words"]["llr"]) is bound
