"""The folds of LFW-type lists that carry none: consecutive tenths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from visavis.protocols.pairs import PairList

FOLDS = 10


def contiguous_folds(length: int, folds: int = FOLDS) -> NDArray[np.int64]:
    """Consecutive folds, the first ``length % folds`` of them longer by one: scikit-learn's KFold without shuffling."""
    sizes = np.full(folds, length // folds)
    sizes[: length % folds] += 1
    return np.repeat(np.arange(folds), sizes)


def with_folds(pairs: PairList) -> PairList:
    """The list with ten consecutive folds, where it has none and each of those holds pairs of both kinds."""
    if pairs.fold is not None or len(pairs) < FOLDS:
        return pairs
    fold = contiguous_folds(len(pairs))
    mated = np.bincount(fold, weights=pairs.same)
    if (mated == 0).any() or (mated == np.bincount(fold)).any():
        return pairs
    return replace(pairs, fold=fold)
