"""Several segments, and a tail, as the rows of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from visavis.gallery.index.state import Part, Tail
from visavis.gallery.index.vectors import ReadRows


def merged(parts: Sequence[Part], tail: Tail | None) -> tuple[NDArray[np.int64], ReadRows]:
    """The rows that count of parts and a tail, in rising order of their keys.

    Returns:
        int64 keys ``(N,)``, and a function that reads their vectors.
    """
    sources: list[tuple[NDArray[np.int64], Callable[[NDArray[np.int64]], NDArray[np.float32]]]] = []
    for part in parts:
        rows = np.arange(len(part.segment)) if part.alive is None else np.flatnonzero(part.alive)
        sources.append((rows, part.segment.vectors.read))
    keys = [part.segment.keys[rows] for part, (rows, _) in zip(parts, sources, strict=True)]
    if tail is not None:
        rows, vectors = np.flatnonzero(tail.alive), tail.vectors
        sources.append((rows, lambda wanted: vectors[wanted]))
        keys.append(tail.keys[rows])
    if not sources:
        return np.empty(0, np.int64), lambda start, end: np.empty((0, 0), np.float32)
    owner = np.repeat(np.arange(len(sources)), [len(rows) for rows, _ in sources])
    places = np.concatenate([rows for rows, _ in sources])
    everything = np.concatenate(keys)
    order = np.argsort(everything, kind="stable")
    owner, places = owner[order], places[order]

    def read(start: int, end: int) -> NDArray[np.float32]:
        out: NDArray[np.float32] | None = None
        for number, (_, take) in enumerate(sources):
            here = np.flatnonzero(owner[start:end] == number)
            if len(here):
                some = take(places[start:end][here])
                out = np.empty((end - start, some.shape[1]), np.float32) if out is None else out
                out[here] = some
        return np.empty((0, 0), np.float32) if out is None else out

    return everything[order], read
