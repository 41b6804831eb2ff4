"""Who is which face of one picture: all faces at once, nobody allowed, no person twice."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis._require import require
from visavis.errors import UsageError

_LEAST = 1e-9
"""What naming somebody exactly at the threshold is worth: more than naming nobody."""


def assign(evidence: ArrayLike) -> NDArray[np.int64]:
    """The assignment of persons to the faces of one picture with the most evidence in all.

    A face alone gets its best person. Where two faces would get the same one, the sum decides: the one with the better
    second choice may have to take it. Below 0 nobody is named.

    Args:
        evidence: float ``(F, P)``: by how much the evidence that face f shows person p passes the threshold; 0 is at
            it, NaN or less is below.

    Returns:
        int64 ``(F,)``: column of the person; -1 for nobody.

    Raises:
        UsageError: Not two dimensions.
    """
    values = np.asarray(evidence, np.float64)
    if values.ndim != 2:
        raise UsageError(f"evidence is a table of faces and persons; got shape {values.shape}")
    worth = np.where(values >= 0, values + _LEAST, 0.0)
    named = np.full(len(values), -1, np.int64)
    best = worth.argmax(axis=1) if worth.shape[1] else np.zeros(len(worth), np.intp)
    some = np.flatnonzero((worth > 0).any(axis=1))
    if len(set(best[some].tolist())) == len(some):
        named[some] = best[some]
        return named
    optimize = require("scipy.optimize", extra="gallery", why="naming the faces of one picture together")
    faces, people = optimize.linear_sum_assignment(worth, maximize=True)
    taken = worth[faces, people] > 0
    named[faces[taken]] = people[taken]
    return named
