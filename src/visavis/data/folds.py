"""Folds of rows in which every class is spread evenly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError


def spread_folds(labels: NDArray[np.integer], *, folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each row; the rows of a class are dealt out in turn, in a drawn order.

    So a class of ``folds`` rows or more is in every fold, one of two rows or more is in every complement of a fold,
    and folds differ by little in size.

    Args:
        labels: int ``(N,)``; rows of one negative label are spread as a class is.
        folds: Number of folds.
        seed: Of the order.

    Returns:
        int64 ``(N,)``, 0 to folds - 1.

    Raises:
        UsageError: Fewer than one fold.
    """
    if folds < 1:
        raise UsageError(f"rows are spread over 1 fold or more; got {folds}")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    found = np.empty(len(labels), np.int64)
    found[order] = np.arange(len(labels)) % folds  # one class begins where the one before ended
    return found
