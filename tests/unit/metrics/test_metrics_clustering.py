"""Groups against people: pair by pair, face by face, and against scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import normalized_mutual_info_score

from visavis.errors import UsageError
from visavis.metrics.clustering import bcubed_agreement, mutual_information, pairwise_agreement

LABELS = st.lists(st.tuples(st.integers(-3, 4), st.integers(-2, 5)), min_size=1, max_size=25)


def slow_pairs(people, groups):
    pairs = [(i, j) for i in range(len(people)) for j in range(i)]
    together = [(i, j) for i, j in pairs if groups[i] == groups[j]]
    one = [(i, j) for i, j in pairs if people[i] == people[j]]
    both = len(set(together) & set(one))
    return (both / len(together) if together else math.nan), (both / len(one) if one else math.nan)


def slow_bcubed(people, groups):
    faces = range(len(people))
    precision = [np.mean([people[j] == people[i] for j in faces if groups[j] == groups[i]]) for i in faces]
    recall = [np.mean([groups[j] == groups[i] for j in faces if people[j] == people[i]]) for i in faces]
    return np.mean(precision), np.mean(recall)


@settings(max_examples=60, deadline=None)
@given(LABELS)
def test_they_are_what_loops_over_pairs_and_faces_give(rows):
    people, groups = (list(column) for column in zip(*rows, strict=True))
    pairs, single = pairwise_agreement(people, groups), bcubed_agreement(people, groups)
    assert (pairs.precision, pairs.recall) == pytest.approx(slow_pairs(people, groups), nan_ok=True)
    assert (single.precision, single.recall) == pytest.approx(slow_bcubed(people, groups))
    assert 0 < single.f1 <= 1
    peer = normalized_mutual_info_score(people, groups)
    assert mutual_information(people, groups) == pytest.approx(peer, abs=1e-9)
    back = bcubed_agreement(groups, people)
    assert (back.precision, back.recall) == pytest.approx((single.recall, single.precision))


def test_perfect_groups_and_the_two_ways_to_be_wrong():
    people = [0, 0, 0, 1, 1, 2]
    assert pairwise_agreement(people, [7, 7, 7, 3, 3, 9]).f1 == bcubed_agreement(people, [7, 7, 7, 3, 3, 9]).f1 == 1
    alone = pairwise_agreement(people, range(6))
    assert math.isnan(alone.precision) and alone.recall == 0 and math.isnan(alone.f1)
    assert bcubed_agreement(people, range(6)).precision == 1
    all_one = pairwise_agreement(people, [0] * 6)
    assert all_one.recall == 1 and all_one.precision == pytest.approx(4 / 15)
    assert pairwise_agreement([0, 0, 1, 1], [0, 1, 0, 1]).f1 == 0


def test_large_numbers_of_faces_need_no_matrix_of_pairs():
    people = np.repeat(np.arange(100_000), 5)
    found = pairwise_agreement(people, people // 2)
    assert found.recall == 1 and found.precision == pytest.approx(2 * 10 / 45)


@pytest.mark.parametrize("measure", [pairwise_agreement, bcubed_agreement, mutual_information])
def test_what_is_no_grouping_is_refused(measure):
    for people, groups, words in (
        ([], [], "non-empty"),
        ([0.5], [1], "whole numbers"),
        ([0, 1], [0], "2 people and 1"),
    ):
        with pytest.raises(UsageError, match=words):
            measure(people, groups)
