"""Groups of faces: a slow agglomeration, scikit-learn, and parts that never meet."""

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering

from visavis.errors import InputError, UsageError
from visavis.gallery import clustering
from visavis.gallery.clustering import k_means_groups, linkage_groups


def people(count=8, each=4, dimension=6, spread=0.4, seed=0):
    rng = np.random.default_rng(seed)
    vectors = np.repeat(rng.normal(size=(count, dimension)), each, 0) + spread * rng.normal(
        size=(count * each, dimension)
    )
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def slow_groups(vectors, similarity, linkage):
    """Join the two most similar groups until none reaches the threshold."""
    cosines = vectors.astype(float) @ vectors.T.astype(float)
    groups = [[row] for row in range(len(vectors))]
    between = {"average": np.mean, "complete": np.min, "single": np.max}[linkage]
    while len(groups) > 1:
        values = {(i, j): between(cosines[np.ix_(groups[i], groups[j])]) for i in range(len(groups)) for j in range(i)}
        (one, other), best = max(values.items(), key=lambda item: item[1])
        if best < similarity:
            break
        groups[other] += groups.pop(one)
    return {frozenset(group) for group in groups}


def as_sets(groups):
    return {frozenset(np.flatnonzero(groups == group)) for group in range(groups.max() + 1)}


@pytest.mark.parametrize("linkage", ["average", "complete", "single"])
@pytest.mark.parametrize("similarity", [-1.0, 0.2, 0.5, 0.7, 0.9, 1.0])
def test_groups_are_those_of_a_slow_agglomeration(linkage, similarity):
    for seed in range(3):
        vectors = people(seed=seed)
        found = linkage_groups(vectors, similarity=similarity, linkage=linkage)
        assert as_sets(found) == slow_groups(vectors, similarity, linkage)


@pytest.mark.parametrize("linkage", ["average", "complete", "single"])
def test_groups_are_those_of_scikit_learn_on_all_faces_at_once(linkage, monkeypatch):
    monkeypatch.setattr(clustering, "_CELLS", 5000)
    vectors = people(60, 5, 16, 0.5)
    distances = 2 - 2 * vectors.astype(float) @ vectors.T.astype(float)
    for similarity in (0.35, 0.55, 0.75):
        peer = AgglomerativeClustering(
            None, metric="precomputed", linkage=linkage, distance_threshold=2 - 2 * similarity
        ).fit_predict(distances)
        assert as_sets(linkage_groups(vectors, similarity=similarity, linkage=linkage)) == as_sets(peer)


def test_the_largest_group_is_the_first_and_failed_rows_belong_to_nobody():
    vectors = people(3, 3, spread=0.01)[[3, 0, 4, 6, 1, 5, 2, 7, 8]]
    vectors[3] = np.nan
    assert linkage_groups(vectors, similarity=0.9).tolist() == [0, 1, 0, -1, 1, 0, 1, 2, 2]
    assert k_means_groups(vectors, people=3).tolist() == [0, 1, 0, -1, 1, 0, 1, 2, 2]
    assert linkage_groups(vectors[[7, 0, 2, 5, 8]], similarity=0.9).tolist() == [1, 0, 0, 0, 1]
    nothing = np.full((2, 4), np.nan)
    assert linkage_groups(nothing, similarity=0.5).tolist() == [-1, -1]
    assert linkage_groups(np.empty((0, 4)), similarity=0.5).tolist() == []


def test_the_order_of_the_faces_does_not_matter():
    vectors = people(10, 4)
    order = np.random.default_rng(3).permutation(len(vectors))
    found, moved = (linkage_groups(rows, similarity=0.6) for rows in (vectors, vectors[order]))
    together = found[:, None] == found
    assert np.array_equal(together[np.ix_(order, order)], moved[:, None] == moved)


def test_a_part_that_is_too_large_is_refused_with_a_way_out():
    vectors = people(3, 10, spread=0.05)
    with pytest.raises(InputError, match=r"10 faces hang together .* single") as error:
        linkage_groups(vectors, similarity=0.9, largest=9)
    assert error.value.reason == "gallery.too-many"
    assert linkage_groups(vectors, similarity=0.9, largest=10).max() == 2
    assert linkage_groups(vectors, similarity=0.9, largest=9, linkage="single").max() == 2


def test_what_does_not_fit_is_refused():
    vectors = people()
    for call, words in (
        (lambda: linkage_groups(vectors, similarity=0.5, linkage="ward"), "average, complete, single"),
        (lambda: linkage_groups(vectors, similarity=1.5), "-1..1"),
        (lambda: linkage_groups(2 * vectors, similarity=0.5), "unit length"),
        (lambda: linkage_groups(vectors[0], similarity=0.5), r"\(N, D\)"),
        (lambda: k_means_groups(vectors, people=33), "1 to 32 groups; got 33"),
    ):
        with pytest.raises(UsageError, match=words):
            call()


@pytest.mark.parametrize("linkage", ["average", "complete", "single"])
def test_equal_faces_are_one_group_at_a_similarity_of_one(linkage):
    for seed in range(30):
        one = np.random.default_rng(seed).normal(size=(1, 128)).astype(np.float32)
        equal = np.tile(one / np.linalg.norm(one), (3, 1))
        assert linkage_groups(equal, similarity=1.0, linkage=linkage).tolist() == [0, 0, 0]


def test_k_means_of_equal_faces_finds_fewer_groups_without_a_warning(recwarn):
    equal = np.repeat(people(3, 1), 4, axis=0)
    assert np.unique(k_means_groups(equal, people=5)).tolist() == [0, 1, 2]
    assert not recwarn.list


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"seed": 1 << 32}, {"starts": 0}])
def test_k_means_takes_seeds_and_starts_in_their_range(wrong):
    with pytest.raises(UsageError, match="once at least, with a seed"):
        k_means_groups(people(), people=2, **wrong)


def test_parts_are_the_same_whether_pairs_wait_or_not(monkeypatch):
    vectors = people(12, 5, seed=4)
    wanted = linkage_groups(vectors, similarity=0.8, linkage="single")
    monkeypatch.setattr(clustering, "_CELLS", 60)
    for pending in (1, 70, 1 << 20):
        monkeypatch.setattr(clustering, "_PENDING", pending)
        assert np.array_equal(linkage_groups(vectors, similarity=0.8, linkage="single"), wanted)
