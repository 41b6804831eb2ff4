"""The float32 pass: every row in question is multiplied, and those that could count are scored exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visavis.gallery.index.best import Best
from visavis.gallery.index.bounds import product_bound, summation_error
from visavis.gallery.index.scan_codes import ScanProbes
from visavis.gallery.index.similarity import exact_similarities
from visavis.gallery.index.state import Alive
from visavis.gallery.index.vectors import ReadRows

_CHUNK = 8192
_EXACT = 1024


def score_directly(
    keys: NDArray[np.int64],
    read: ReadRows,
    probes: ScanProbes,
    which: Sequence[int],
    bests: Sequence[Best],
    *,
    longest: float,
    keep: Alive | None = None,
) -> None:
    """Offer every row that could be among the best to the searches of some probes.

    A row is scored exactly when its float32 product, plus the bound of its rounding, reaches the k-th best similarity
    that is certain so far.

    Args:
        keys: int64 ``(N,)``.
        read: Gives the rows from one to before another.
        probes: All probes.
        which: The probes in question.
        bests: What each probe has found.
        longest: Length of the longest row.
        keep: bool ``(N,)``: rows in question; None for all.
    """
    wanted = probes.vectors[list(which)]
    rounding = summation_error(wanted.shape[1])
    for start in range(0, len(keys), _CHUNK):
        end = min(start + _CHUNK, len(keys))
        rows = read(start, end)
        products = wanted @ rows.T
        if keep is not None:
            products[:, ~keep[start:end]] = -np.inf
        for place, probe in enumerate(which):
            bound = float(product_bound(probes.lengths[probe], 0.0, 0.0, longest=longest, rounding=rounding))
            _take_in(products[place], rows, keys[start:end], wanted[place], bests[probe], bound)


def _take_in(
    products: NDArray[np.float32],
    rows: NDArray[np.float32],
    keys: NDArray[np.int64],
    probe: NDArray[np.float32],
    best: Best,
    bound: float,
) -> None:
    least = best.threshold
    if len(products) > best.k:
        place = len(products) - best.k
        least = max(least, float(np.partition(products, place)[place]) - bound)
    found = np.flatnonzero((products >= least - bound) & (products > -np.inf))
    for start in range(0, len(found), _EXACT):
        some = found[start : start + _EXACT]
        best.offer(keys[some], exact_similarities(rows[some], probe))
