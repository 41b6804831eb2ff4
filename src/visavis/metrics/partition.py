"""Identity-disjoint folds for a list of pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError


@dataclass(frozen=True, slots=True, eq=False)
class IdentityFolds:
    """A fold for every pair such that no person is in two folds.

    Attributes:
        labels: int64 ``(P,)``: the fold of each pair, 1..k; -1 for a dropped pair.
        dropped: Number of pairs dropped because their people are in two folds.
        rule: ``components`` (groups of linked people kept whole) or ``people`` (people assigned, pairs
            across folds dropped).
    """

    labels: NDArray[np.int64]
    dropped: int
    rule: str


def person_codes(people_a: ArrayLike, people_b: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
    """Both label columns as numbers 0..n-1 and the number of distinct people n.

    Raises:
        UsageError: Columns of different length, not one-dimensional, or empty.
    """
    left, right = np.asarray(people_a), np.asarray(people_b)
    if left.ndim != 1 or left.shape != right.shape or left.size == 0:
        raise UsageError(
            f"people_a and people_b must be non-empty columns of one length; got {left.shape} and {right.shape}"
        )
    people, codes = np.unique(np.concatenate([left, right]), return_inverse=True)
    return codes[: len(left)], codes[len(left) :], len(people)


def components(first: NDArray[np.intp], second: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Connected component of each of ``size`` nodes under the edges ``first[i] - second[i]``.

    Returns:
        intp ``(size,)``: component numbers 0..c-1, in order of their first node.
    """
    parent = list(range(size))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    edges = np.unique(np.stack([np.minimum(first, second), np.maximum(first, second)], axis=1), axis=0)
    for left, right in edges[edges[:, 0] != edges[:, 1]].tolist():
        one, two = root(left), root(right)
        if one != two:
            parent[max(one, two)] = min(one, two)
    roots = np.array([root(node) for node in range(size)], dtype=np.intp)
    return np.unique(roots, return_inverse=True)[1].astype(np.intp)


def identity_folds(
    people_a: ArrayLike, people_b: ArrayLike, *, k: int = 10, seed: int = 0, drop_crossing: bool = False
) -> IdentityFolds:
    """Folds of about equal size such that every person is in one fold only.

    People that meet in a pair must share a fold, and so must whoever they meet: the connected
    components of people are placed whole, largest first, each on the fold with the fewest pairs;
    ``seed`` orders components of one size. No pair is lost.

    A list that pairs everybody with everybody is one giant component. Folds count as impossible when
    one stays empty or one holds more than twice its share. Then this raises, unless ``drop_crossing``
    is True: people (not components) are placed, most pairs first, and pairs across two folds are
    dropped and counted. About ``1 - 1/k`` of the non-mated pairs go and no mated one, so the remaining
    pairs are few and mostly mated: a figure from them must say how many were dropped.

    Args:
        people_a: Labels ``(P,)`` of the first person of each pair.
        people_b: Labels ``(P,)`` of the second person.
        k: Number of folds, at least 2.
        seed: Seed of the placement.
        drop_crossing: Allow pairs to be dropped where components cannot be folded.

    Raises:
        UsageError: ``k < 2``, ill-shaped columns, fewer people than folds, or components that cannot
            be folded while ``drop_crossing`` is False.

    Example:
        >>> identity_folds(["a", "b", "a", "c"], ["a", "b", "b", "c"], k=2).labels.tolist()
        [1, 1, 1, 2]
    """
    first, second, size = person_codes(people_a, people_b)
    if k < 2 or size < k:
        raise UsageError(f"k folds need 2 <= k <= number of people ({size}); got k={k}")
    group = components(first, second, size)
    pairs_of = np.bincount(group[first])
    placed = _place(pairs_of, k, seed)
    loads = np.bincount(placed, weights=pairs_of, minlength=k)
    if loads.min() > 0 and loads.max() <= max(2 * len(first) / k, 1):
        return IdentityFolds(placed[group[first]] + 1, 0, "components")
    if not drop_crossing:
        raise UsageError(
            f"{k} identity-disjoint folds are impossible: the {size} people form {len(pairs_of)} linked groups and "
            f"the largest holds {pairs_of.max()} of {len(first)} pairs; pass fewer folds, a fold column, or "
            "drop_crossing=True to keep only pairs within one fold"
        )
    person_fold = _place(np.bincount(np.concatenate([first, second]), minlength=size), k, seed)
    labels = np.where(person_fold[first] == person_fold[second], person_fold[first] + 1, -1)
    return IdentityFolds(labels, int((labels < 0).sum()), "people")


def _place(sizes: NDArray[np.intp], k: int, seed: int) -> NDArray[np.int64]:
    """Fold 0..k-1 of each item: largest first on the emptiest fold, equal sizes in random order."""
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    placed = np.zeros(len(sizes), dtype=np.int64)
    loads = np.zeros(k)
    for item in order:
        emptiest = int(np.argmin(loads))
        placed[item] = emptiest
        loads[emptiest] += sizes[item]
    return placed
