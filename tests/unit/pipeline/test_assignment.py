"""Faces of one picture against persons: the best sum, nobody allowed, nobody twice."""

import itertools

import numpy as np
import pytest

from visavis.errors import UsageError
from visavis.pipeline.assignment import assign


def best_sum(evidence):
    """By trying every way."""
    faces, people = evidence.shape
    choices = itertools.product(range(-1, people), repeat=faces)
    fair = [one for one in choices if len({p for p in one if p >= 0}) == sum(p >= 0 for p in one)]
    allowed = [one for one in fair if all(p < 0 or evidence[f, p] >= 0 for f, p in enumerate(one))]
    return max(sum(evidence[f, p] for f, p in enumerate(one) if p >= 0) for one in allowed)


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_best_of_all_ways(seed):
    rng = np.random.default_rng(seed)
    evidence = rng.normal(0, 0.1, size=(rng.integers(1, 5), rng.integers(1, 5)))
    named = assign(evidence)
    taken = named[named >= 0]
    assert len(set(taken.tolist())) == len(taken)
    assert all(evidence[face, person] >= 0 for face, person in enumerate(named) if person >= 0)
    total = sum(evidence[face, person] for face, person in enumerate(named) if person >= 0)
    assert total == pytest.approx(best_sum(evidence))


def test_two_faces_of_one_person_leave_the_weaker_one_to_its_second_choice_or_to_nobody():
    assert assign([[0.30, 0.02], [0.20, -0.1]]).tolist() == [0, -1]
    assert assign([[0.30, 0.25], [0.20, -0.1]]).tolist() == [1, 0]
    assert assign([[0.3], [0.2]]).tolist() == [0, -1]


def test_at_the_threshold_is_somebody_and_below_is_nobody():
    assert assign([[0.0, -1e-6]]).tolist() == [0]
    assert assign([[-1e-6, np.nan]]).tolist() == [-1]


def test_no_faces_and_no_people():
    assert assign(np.zeros((0, 3))).tolist() == []
    assert assign(np.zeros((2, 0))).tolist() == [-1, -1]
    with pytest.raises(UsageError, match="table of faces and persons"):
        assign([0.1, 0.2])
