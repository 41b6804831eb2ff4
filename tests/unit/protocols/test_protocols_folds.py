import numpy as np
import pytest

from visavis.errors import UsageError
from visavis.protocols.folds import protocol_folds
from visavis.protocols.pairs import PairList


def pair_list(people, *, fold=None, known=True):
    """A row for each (person, person)."""
    one, two = zip(*people, strict=True)
    images = tuple(f"{name}/1" for name in one), tuple(f"{name}/2" for name in two)
    same = [a == b for a, b in people]
    return PairList(*images, np.array(same), fold, one if known else None, two if known else None)


def couples(number):
    """Pairs that link people two by two: 0-1, 2-3, ..."""
    return [pair for p in range(0, 2 * number, 2) for pair in ((f"{p}", f"{p}"), (f"{p}", f"{p + 1}"))]


def test_the_labels_of_the_list_are_used_as_they_are():
    fold = [3, 3, 7, 7, -1, 0]
    found = protocol_folds(pair_list(couples(3), fold=fold))
    assert found.labels.tolist() == fold and "fold labels" in found.source
    assert (found.dropped, found.shared_people) == (1, 0)


def test_people_of_two_folds_are_counted():
    people = [("a", "a"), ("a", "b"), ("b", "b"), ("c", "c"), ("c", "d"), ("a", "d")]
    found = protocol_folds(pair_list(people, fold=[1, 1, 2, 2, 2, -1]))
    assert found.shared_people == 1  # b; what a does in no fold does not count


@pytest.mark.parametrize("seed", range(5))
def test_drawn_folds_share_nobody_and_keep_every_pair_where_they_can(seed):
    people = couples(40)
    found = protocol_folds(pair_list(people), seed=seed)
    assert sorted(set(found.labels.tolist())) == list(range(10)) and found.dropped == found.shared_people == 0
    home = {}
    for pair, label in zip(people, found.labels.tolist(), strict=True):
        assert all(home.setdefault(person, label) == label for person in pair)
    assert np.bincount(found.labels).tolist() == [8] * 10
    assert f"seed {seed}" in found.source and "10" in found.source


def test_seeds_draw_other_folds_and_one_seed_the_same():
    pairs = pair_list(couples(40))
    one, again, other = (protocol_folds(pairs, seed=seed).labels.tolist() for seed in (1, 1, 2))
    assert one == again != other


def test_dense_links_drop_pairs_across_folds_but_never_mated_ones():
    names = [f"{n}" for n in range(60)]
    people = [(a, a) for a in names] + [(a, b) for a in names for b in names if a < b]
    found = protocol_folds(pair_list(people))
    assert (found.labels[:60] >= 0).all() and found.dropped == (found.labels[60:] < 0).sum() > 0
    assert len(set(found.labels[:60].tolist())) == 10
    home = dict(zip(names, found.labels[:60].tolist(), strict=True))
    for (a, b), label in zip(people, found.labels.tolist(), strict=True):
        assert label == (home[a] if home[a] == home[b] else -1)


def test_few_people_get_as_many_folds_as_people():
    assert protocol_folds(pair_list(couples(2))).source.startswith("4 ")


def test_lists_that_cannot_be_evaluated_are_refused():
    for people, number in (([("a", "a")] * 4, 4), ([("a", "b")] * 4, 0)):
        with pytest.raises(UsageError, match=f"{number} mated and {4 - number} non-mated"):
            protocol_folds(pair_list(people, fold=[0, 0, 1, 1]))
    for fold in ([1, 1, 1, 1], [1, 1, -1, -1]):
        with pytest.raises(UsageError, match="fewer than 2 folds"):
            protocol_folds(pair_list(couples(2), fold=fold))
    with pytest.raises(UsageError, match="share no person"):
        protocol_folds(pair_list([("a", "a"), ("a", "b"), ("b", "b"), ("b", "a")]))


def test_people_that_mated_pairs_imply_are_dealt_like_named_ones():
    people = couples(40)
    found = protocol_folds(pair_list(people, known=False))
    assert found.labels.tolist() == protocol_folds(pair_list(people)).labels.tolist()
    assert found.dropped == found.shared_people == 0
