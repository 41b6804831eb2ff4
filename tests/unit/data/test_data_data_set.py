from types import MappingProxyType

import pytest

from visavis.data.data_set import DataSet, data_set_of, set_of_people
from visavis.errors import UsageError
from visavis.protocols.ledger import Ledger

ENTRIES = {("lfw", f"Name_{n}"): "test" for n in range(9)} | {("orl", f"s{n}"): "train" for n in range(9)}
BOOK = Ledger(MappingProxyType(ENTRIES), "hash")


def people(lfw=0, orl=0, others=0):
    return [
        *(f"Name_{n}" for n in range(lfw)),
        *(f"s{n}" for n in range(orl)),
        *(f"x{n}" for n in range(others)),
    ]


def found(names, path="people", **options):
    return data_set_of(names, path=path, ledger=BOOK, **options)


@pytest.mark.parametrize(
    ("lfw", "others", "expected"),
    [(3, 0, "lfw"), (3, 3, "lfw"), (2, 0, None), (3, 4, None), (0, 5, None), (9, 9, "lfw")],
)
def test_three_people_and_half_of_all_name_a_set(lfw, others, expected):
    names = people(lfw=lfw, others=others)
    assert set_of_people(names, ledger=BOOK) == expected
    assert set_of_people(names * 2, ledger=BOOK) == expected  # people are counted, not pictures
    assert found(names) == DataSet(expected, "people" if expected else None)


def test_people_of_two_sets_are_not_taken_for_one():
    with pytest.raises(UsageError, match="lfw and orl"):
        found(people(lfw=3, orl=3))
    assert found(people(lfw=3, orl=3), given="none") == DataSet(None, "given")
    assert found(people(lfw=3, orl=3), given="orl") == DataSet("orl", "given")


@pytest.mark.parametrize(
    ("path", "inside", "names", "expected"),
    [
        ("lfw.tar", "", people(lfw=4), DataSet("lfw", "path")),
        ("a/faces.tar", "lfw/x/1.jpg", people(lfw=1, others=9), DataSet("lfw", "path")),
        ("orl", "", people(others=4), DataSet("orl", "path")),
        ("orl", "", people(lfw=4), DataSet("lfw", "people")),
        ("orl", "", people(lfw=4, orl=1), DataSet("lfw", "people")),
        ("orl", "", people(lfw=2), DataSet("orl", "path")),
    ],
)
def test_the_path_names_the_set_unless_the_people_are_of_another(path, inside, names, expected):
    assert found(names, path, inside=inside) == expected


@pytest.mark.parametrize(
    ("given", "names", "path", "words"),
    [
        ("orl", people(lfw=4), "people", "knows 0 of the 4 people of people, set lfw knows 4; give --set lfw, or"),
        ("orl", people(lfw=2, orl=1), "lfw", "give --set lfw"),
        ("orl", people(others=4), "orl", "knows 0 of the 4 people of orl; leave --set out"),
        ("casia", people(), "x", "the ledger knows the sets lfw, orl; none is for"),
    ],
)
def test_a_set_that_the_people_are_not_of_is_refused_with_the_remedy(given, names, path, words):
    with pytest.raises(UsageError) as caught:
        found(names, path, given=given)
    assert words in caught.value.message


def test_a_given_set_that_knows_most_of_them_holds_whatever_the_path_says():
    assert found(people(orl=2, lfw=1, others=20), "lfw", given="orl") == DataSet("orl", "given")
