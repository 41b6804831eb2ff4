"""Which fold each pair of a list is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.metrics.folds import identity_folds
from visavis.protocols.pairs import PairList
from visavis.protocols.people import pair_people


@dataclass(frozen=True, slots=True, eq=False)
class ProtocolFolds:
    """The folds that accuracy is cross-validated over.

    Attributes:
        labels: int64 ``(N,)``: the fold of each pair; negative for a pair in none.
        source: Where they come from, for readers.
        shared_people: People who occur in more than one fold; 0 for identity-disjoint folds.
    """

    labels: NDArray[np.int64]
    source: str
    shared_people: int

    @property
    def dropped(self) -> int:
        """Number of pairs in no fold."""
        return int((self.labels < 0).sum())


def protocol_folds(pairs: PairList, *, seed: int = 0) -> ProtocolFolds:
    """The list's own folds, or ten (fewer with fewer people) identity-disjoint ones.

    Where people are linked so densely that no such folds exist, pairs across folds are dropped.

    Args:
        pairs: The pairs; call it before any picture is read, it refuses lists that cannot be evaluated.
        seed: Seed of the placement of people.

    Raises:
        UsageError: No mated or no non-mated pair, a single fold, or people that contradict the labels.
    """
    people = pair_people(pairs)
    mated = int(pairs.same.sum())
    if mated in (0, len(pairs)):
        raise UsageError(
            f"verification needs mated and non-mated pairs; the list holds {mated} mated and {len(pairs) - mated} "
            "non-mated ones"
        )
    if pairs.fold is None:
        k = min(10, people.number)
        drawn = identity_folds(people.person1, people.person2, k=k, seed=seed)
        if len(np.unique(drawn[drawn >= 0])) < 2:
            raise UsageError("the pairs cannot be dealt to two folds that share no person; add pairs or a fold column")
        return ProtocolFolds(drawn, f"{k} identity-disjoint folds drawn with seed {seed}", 0)
    if len(np.unique(pairs.fold[pairs.fold >= 0])) < 2:
        raise UsageError(
            "the fold column holds fewer than 2 folds, and a threshold must be chosen on other folds; "
            "leave the column out to have folds drawn"
        )
    shared = _shared_people(people.person1, people.person2, pairs.fold)
    return ProtocolFolds(pairs.fold, "the fold labels of the pair list", shared)


def _shared_people(person1: Sequence[str], person2: Sequence[str], fold: NDArray[np.int64]) -> int:
    seen: dict[str, set[int]] = {}
    for one, two, label in zip(person1, person2, fold.tolist(), strict=True):
        if label >= 0:
            seen.setdefault(one, set()).add(label)
            seen.setdefault(two, set()).add(label)
    return sum(len(labels) > 1 for labels in seen.values())
