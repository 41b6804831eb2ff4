"""Scope: which rows of a state one search is about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.gallery.index.segment import Segment
from visavis.gallery.index.state import Alive, Part, State

DIRECT = 4096
"""A segment of at most so many rows in question is scored in float32."""

_FEW = 32
"""So is one of which a filter leaves one row in so many."""


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """Rows of a segment that are to be scanned.

    Attributes:
        segment: The segment.
        keep: bool ``(N,)``: the rows in question; None for all.
        bits: The same with one bit a row, the first in the lowest bit.
        left_out: int64 ``(N + 1,)``: how many rows before each one are not in question.
    """

    segment: Segment
    keep: Alive | None = None
    bits: NDArray[np.uint8] | None = None
    left_out: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """Rows that are scored in float32 at once.

    Attributes:
        segment: The segment.
        rows: int64 ``(M,)``, rising.
    """

    segment: Segment
    rows: NDArray[np.int64]


def scopes(state: State, among: NDArray[np.int64] | None) -> tuple[list[Scope], list[Picked]]:
    """What of each segment is scanned, and what is scored at once.

    Args:
        state: The rows.
        among: Keys that may be found, rising; all when None.
    """
    scanned: list[Scope] = []
    picked: list[Picked] = []
    for part in state.parts:
        some = part
        if among is not None:
            keep = np.zeros(len(part.segment), np.bool_)
            keep[part.places(among)] = True
            some = Part(part.segment, keep)
        total = len(part.segment)
        if some.count <= max(DIRECT, total // _FEW):
            rows = np.arange(total) if some.alive is None else np.flatnonzero(some.alive)
            picked.append(Picked(part.segment, rows.astype(np.int64)))
        elif some.count == total:
            scanned.append(Scope(part.segment))
        else:
            scanned.append(Scope(part.segment, some.alive, some.bits, some.left_out))
    return scanned, [one for one in picked if len(one.rows)]
