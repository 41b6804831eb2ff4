"""Faces of unknown people into groups: agglomerative at a similarity, or k-means for a known number of people."""

from __future__ import annotations

import warnings
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from visavis._require import require
from visavis.errors import InputError, UsageError

Linkage = Literal["average", "complete", "single"]
"""What two groups are compared by: the mean, the smallest, or the largest similarity of a face of each."""

NOBODY = -1
"""The group of a face that failed."""

LARGEST = 20_000
"""Most faces that average and complete linkage take in one connected part: 3.2 GB of distances."""

_EXTRA, _WHY = "cluster", "clustering"
_CELLS = 1 << 24
_SLACK = 1e-5
_ROUNDING = 1e-6
_PENDING = 1 << 22
_SEEDS = 1 << 32


def linkage_groups(
    vectors: NDArray[np.floating], *, similarity: float, linkage: Linkage = "average", largest: int = LARGEST
) -> NDArray[np.int64]:
    """Agglomerative clustering on squared distances, cut where groups are less similar than a threshold.

    Schroff et al. 2015, FaceNet, section 5.7, use agglomerative clustering. Squared distances of unit vectors are
    ``2 - 2 cos``, so that average linkage joins two groups while the mean cosine of their faces reaches the threshold.

    Faces that no chain of pairs at the threshold connects never meet, whatever the linkage: average and complete
    linkage are run in each connected part alone, with the same result as on all faces. The parts are found block by
    block, without a matrix of all distances; only the largest part is limited. Single linkage is these parts.

    Args:
        vectors: Unit vectors ``(N, D)``; rows that are not finite, failed ones, belong to nobody.
        similarity: The cosine at which two groups are still joined, for example the threshold of an operating point;
            1e-6 less is joined too, so that equal faces are one group at 1.0 whatever the rounding.
        linkage: See `Linkage`.
        largest: Most faces of one connected part, for average and complete linkage.

    Returns:
        int64 ``(N,)``: groups from 0, the largest first and equal ones by their first face; -1 for failed rows.

    Raises:
        UsageError: Another shape, vectors that are not of unit length, or another word for ``linkage``.
        InputError: A connected part is too large.
        DependencyError: scikit-learn and scipy are not installed.
    """
    check_linkage(linkage)
    if not -1 <= similarity <= 1:
        raise UsageError(f"groups are made at a cosine in -1..1; got {similarity}")
    values, good = _unit_rows(vectors)
    slack = _ROUNDING if linkage == "single" else _SLACK
    parts = _connected_parts(values, similarity - slack)
    if linkage == "single":
        return _numbered(parts, good)
    found, count = np.empty(len(values), np.int64), 0
    order = np.argsort(parts, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(parts[order])) + 1):
        if len(rows) > largest:
            raise InputError(
                f"{len(rows)} faces hang together at similarity {similarity:.3f}; {linkage} linkage takes {largest} at "
                "most. Ask for a stricter operating point, or take single linkage, which has no limit",
                reason="gallery.too-many",
            )
        inner = _agglomerated(values[rows], similarity, linkage)
        found[rows] = inner + count
        count += int(inner.max(initial=-1)) + 1
    return _numbered(found, good)


def check_linkage(linkage: str) -> None:
    """Refuse a word that is no `Linkage`.

    Raises:
        UsageError: It is none.
    """
    if linkage not in get_args(Linkage):
        raise UsageError(f"the linkage is one of {', '.join(get_args(Linkage))}; got {linkage!r}")


def k_means_groups(vectors: NDArray[np.floating], *, people: int, seed: int = 0, starts: int = 10) -> NDArray[np.int64]:
    """K-means of unit vectors, the best of some starts, for a known number of people.

    Schroff et al. 2015, FaceNet, section 1, name it beside agglomerative clustering.

    Args:
        vectors: Unit vectors ``(N, D)``; rows that are not finite, failed ones, belong to nobody.
        people: Number of groups, at most one a face that did not fail and is like no other: equal faces are not parted,
            and then there are fewer groups.
        seed: Of the starts, 0 to 2^32 - 1.
        starts: How often it begins anew, once at least.

    Returns:
        int64 ``(N,)``: groups from 0, the largest first and equal ones by their first face; -1 for failed rows.

    Raises:
        UsageError: Another shape, vectors that are not of unit length, more people than faces, or a seed or number of
            starts out of its range.
        DependencyError: scikit-learn is not installed.
    """
    values, good = _unit_rows(vectors)
    if not 1 <= people <= max(len(values), 1):
        raise UsageError(f"{len(values)} faces make 1 to {len(values)} groups; got {people}")
    if not len(values):
        return _numbered(np.empty(0, np.int64), good)
    if starts < 1 or not 0 <= seed < _SEEDS:
        raise UsageError(f"k-means begins once at least, with a seed of 0 to {_SEEDS - 1}; got {starts}, {seed}")
    cluster = require("sklearn.cluster", extra=_EXTRA, why=_WHY)
    problems = require("sklearn.exceptions", extra=_EXTRA, why=_WHY)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", problems.ConvergenceWarning)  # fewer groups; the result shows how many
        found = cluster.KMeans(people, n_init=starts, random_state=seed).fit_predict(values)
    return _numbered(found.astype(np.int64), good)


def _unit_rows(vectors: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The rows that did not fail, and which they are."""
    array = np.asarray(vectors)
    if array.dtype.kind != "f" or array.ndim != 2:
        raise UsageError(f"vectors are floats (N, D); got {array.dtype} {array.shape}")
    good: NDArray[np.bool_] = np.asarray(np.isfinite(array).all(axis=1))
    values = array[good].astype(np.float32)
    if not (np.abs(np.linalg.norm(values, axis=1) - 1) < 1e-3).all():
        raise UsageError("vectors have unit length; divide each by its norm first")
    return values, good


def _connected_parts(values: NDArray[np.float32], similarity: float) -> NDArray[np.int64]:
    """The connected parts of the graph of all pairs at a similarity, block by block: int64 ``(N,)``."""
    sparse = require("scipy.sparse", extra=_EXTRA, why=_WHY)
    graphs = require("scipy.sparse.csgraph", extra=_EXTRA, why=_WHY)
    size = len(values)
    parts = np.arange(size, dtype=np.int64)
    block = max(1, _CELLS // max(size, 1))
    pairs: list[NDArray[np.int64]] = []
    pending = 0
    for start in range(0, size, block):
        found = np.stack(np.nonzero(values[start : start + block] @ values[start:].T >= similarity)) + start
        pairs.append(found)
        pending += found.shape[1]
        if pending < max(_PENDING, size) and start + block < size:
            continue  # a pass over all faces is made once for many blocks
        ends = parts[np.concatenate(pairs, axis=1)]
        graph = sparse.coo_matrix((np.ones(pending, np.bool_), (ends[0], ends[1])), shape=(size, size))
        parts = graphs.connected_components(graph, directed=False)[1].astype(np.int64)[parts]
        pairs, pending = [], 0
    return parts


def _agglomerated(values: NDArray[np.float32], similarity: float, linkage: Linkage) -> NDArray[np.int64]:
    """Groups of one connected part, from 0."""
    size = len(values)
    if size < 2:
        return np.zeros(size, np.int64)
    hierarchy: Any = require("scipy.cluster.hierarchy", extra=_EXTRA, why=_WHY)
    wide = values.astype(np.float64)
    distances = np.empty(size * (size - 1) // 2)
    place = 0
    for row in range(size - 1):
        end = place + size - 1 - row
        distances[place:end] = wide[row + 1 :] @ wide[row]
        place = end
    np.subtract(2.0, distances * 2.0, out=distances)
    tree = hierarchy.linkage(np.maximum(distances, 0.0, out=distances), method=linkage)
    found: NDArray[np.int64] = hierarchy.fcluster(tree, 2 - 2 * (similarity - _ROUNDING), criterion="distance") - 1
    return found.astype(np.int64)


def _numbered(groups: NDArray[np.int64], good: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Groups of the good rows as groups of all rows, from 0, the largest first and equal ones by their first face."""
    _, first, inverse, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(first), np.int64)
    rank[np.lexsort((first, -sizes))] = np.arange(len(first))
    out = np.full(len(good), NOBODY, np.int64)
    out[good] = rank[inverse]
    return out
