"""What a case says, in sentences; plain text, not yet escaped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from visavis.report.verbal import times, verbal
from visavis.types import Decision, RateInterval

TITLES = {
    "same": "Same person",
    "different": "Different people",
    "inconclusive": "Inconclusive",
}

LIMITS = (
    "It does not give the probability that the two are one person. That depends on everything else that is known; the "
    "likelihood ratio says only how far this similarity should move an opinion.",
    "The false match rate holds for random impostors of the named population. Twins, relatives, people who look alike, "
    "children, people of one group, and other cameras, poses and ages can be far above it.",
    "A false match rate is of one comparison. If the pair came out of a search among many people, the chance of some "
    "false match grows with the number of people searched.",
    "Different people is not proven by a low similarity: poor pictures, years between them, or a covered face give it "
    "for one person too.",
    "The evidence maps say what moved this network's similarity when it was hidden. They are not what an examiner "
    "sees, not proof that a feature is the same, and not a reason the answer is right.",
    "It is not shown that the pictures are authentic, unedited, of the people or of the time that is claimed, or of "
    "live faces.",
    "The recogniser was trained on web photos of public figures. Its rates on them, and on data sets of them, may "
    "flatter it.",
    "One recogniser's score is no second examination. A trained examiner must look at the pictures themselves.",
)
"""What a report does not prove."""


def small_rate(rate: float) -> str:
    """``1 in 10,000``, or a percentage from 1 in 20 up; ``none seen`` for 0."""
    if rate <= 0:
        return "none seen"
    if rate >= 0.05:
        return percentage(rate)
    return f"1 in {float(f'{1 / rate:.2g}'):,.0f}"


def percentage(rate: float) -> str:
    """A rate as a percentage to two figures, never in scientific notation: ``0.0053 %``."""
    return f"{np.format_float_positional(float(f'{100 * rate:.2g}'), trim='-')} %"


def answer_sentence(decision: Decision) -> str:
    """The answer, why, and what the similarity alone says when there is no answer."""
    above = decision.similarity >= decision.threshold
    side = "at or above" if above else "below"
    numbers = f"the similarity, {decision.similarity:.3f}, is {side} the threshold, {decision.threshold:.3f}"
    if decision.answer == "inconclusive":
        return f"No answer is given, for the reasons below. The scores alone: {numbers}."
    whom = "one person" if decision.answer == "same" else "two different people"
    return f"The recogniser takes the two sides for {whom}: {numbers}."


def rate_sentence(decision: Decision) -> str:
    """The false match rate of the threshold, its interval, and the population: never one without the others."""
    rate = decision.fmr
    wanted = decision.at.rate
    if rate is None:
        return (
            f"The threshold is meant for a false match rate of {percentage(wanted)} ({small_rate(wanted)} pairs of "
            f"different people) among: {decision.population}. The calibration carries no interval for it."
        )
    return (
        f"At this threshold {percentage(rate.rate)} of pairs of different people ({small_rate(rate.rate)}) are "
        f"expected to be called the same. {interval_words(rate)} Population: {rate.population}."
    )


def interval_words(rate: RateInterval) -> str:
    """The prediction interval of a rate as a sentence."""
    who = f"among {rate.people:,} other people" if rate.people else "on other people"
    return (
        f"With {100 * rate.level:g} % confidence the rate {who} of the same population lies between "
        f"{percentage(rate.low)} and {percentage(rate.high)}."
    )


def groups_sentence(decision: Decision, measured_at: float | None, single: float) -> str:
    """The rate in the worst group and among children; empty where it was not measured.

    Args:
        decision: The decision.
        measured_at: The threshold that the groups' rates are of; None without a table.
        single: The threshold of single pictures at the operating point.
    """
    if not decision.groups:
        return ""
    told = ", and ".join(
        f"{percentage(group.rate)} (95 %: {percentage(group.low)} to {percentage(group.high)}) among "
        f"{_apart(group.population)}"
        for group in decision.groups
    )
    at = "At the same threshold"
    if measured_at is not None and abs(measured_at - single) > 5e-4:
        at = f"At a threshold of {measured_at:.3f}, the nearest one that was measured in groups of people,"
    return f"{at} the false match rate within groups is: {told}."


def _apart(population: str) -> str:
    """``women (web photos)`` of ``women; web photos``."""
    group, semicolon, source = population.partition("; ")
    return f"{group} ({source})" if semicolon else group


def llr_sentence(decision: Decision, *, unfit: bool = False, bound: bool = False) -> str:
    """The likelihood ratio in numbers and in words of a cited scale.

    Args:
        decision: The decision.
        unfit: Whether a face fails the quality limits: the ratio was fitted on others.
        bound: Whether it is the highest or lowest ratio that the calibration gives.
    """
    if unfit:
        return (
            "No likelihood ratio holds here: it was fitted on faces that keep the quality limits, and one of these "
            "does not. A picture without detail gives a low similarity whoever it shows."
        )
    if decision.llr is None:
        return "The calibration gives no likelihood ratio for this comparison."
    llr = decision.llr
    if abs(llr) < 0.01:
        return f"log10 likelihood ratio {llr:.2f}: {verbal(llr)} (ENFSI 2015)."
    return (
        f"log10 likelihood ratio {llr:.2f}: a similarity like this is {times(llr)}: "
        f"{verbal(llr)} (verbal scale of ENFSI 2015).{' The calibration gives no stronger ratio.' if bound else ''}"
    )


def group_words(group: Mapping[str, Any]) -> str:
    """The false matches of a group as counts and a rate with its interval; ``no pair`` where nothing was compared."""
    if not group["pairs"]:
        return "no pair was compared"
    return (
        f"{percentage(group['rate'])} ({group['events']:,} of {group['pairs']:,} pairs; 95 %: "
        f"{percentage(group['low'])} to {percentage(group['high'])})"
    )
