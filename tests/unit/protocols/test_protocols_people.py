import numpy as np
import pytest

from visavis.errors import UsageError
from visavis.protocols.pairs import PairList
from visavis.protocols.people import pair_people


def pair_list(pairs, **people):
    one, two, same = zip(*pairs, strict=True)
    return PairList(one, two, np.array(same), **people)


def test_named_people_are_taken_as_they_are():
    pairs = pair_list([("1", "2", True), ("1", "3", False)], person1=("A", "A"), person2=("A", "B"))
    found = pair_people(pairs)
    assert (found.person1, found.person2, found.linked, found.number) == (("A", "A"), ("A", "B"), False, 2)


def test_mated_pairs_link_pictures_directly_and_through_others():
    left, right, same = "145217", "236357", [True, True, False, True, False, True]
    pairs = list(zip(left, right, same, strict=True))
    found = pair_people(pair_list(pairs))
    people = dict(zip(left + right, [*found.person1, *found.person2], strict=True))
    assert found.linked and found.number == 4
    assert len({people[image] for image in "1234"}) == 1
    assert len({people[image] for image in "1567"}) == 4


def test_links_equal_a_slow_search():
    rng = np.random.default_rng(3)
    person = rng.integers(0, 12, 60)
    left, right = rng.integers(0, 60, (2, 150))
    same = person[left] == person[right]
    found = pair_people(PairList(tuple(map(str, left)), tuple(map(str, right)), same))
    reached = np.arange(60)  # the least picture that a chain of mated pairs leads to
    for _ in range(60):
        for one, two in zip(left[same], right[same], strict=True):
            reached[one] = reached[two] = min(reached[one], reached[two])
    slow = reached[np.concatenate([left, right])].tolist()
    names = set(zip(slow, [*found.person1, *found.person2], strict=True))
    assert len(names) == len({one for one, _ in names}) == len({other for _, other in names}) == found.number


def test_a_non_mated_pair_of_one_person_is_refused_by_its_number():
    with pytest.raises(UsageError, match=r"pair 3 \(1, 3\).*person1,person2"):
        pair_people(pair_list([("1", "2", True), ("2", "3", True), ("1", "3", False)]))
