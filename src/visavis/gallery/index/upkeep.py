"""What is due in an index: when a tail is full, which parts to merge, which to link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from visavis.errors import UsageError
from visavis.gallery.index.state import Part, State

Kind = Literal["auto", "exact", "hnsw"]
"""Scan everything; or walk graphs where there are such, which may miss rows; or the first until it takes long."""

FULL_TAIL = 4096
"""Rows of a tail that become a segment: they are all multiplied in float32 in every search."""

MERGED = 8
"""So many parts of about one size become one: a row is rewritten once for each factor of this in the size."""

WASTE = 0.25
"""A part of which more than this share no longer counts is rewritten without it."""

GRAPH_ROWS = 32_768
"""The least rows of a segment for a graph; fewer are scanned in less than a millisecond."""

SCAN_LIMIT = 2 << 30
"""Bytes of codes beyond which ``auto`` walks graphs: a scan of them takes about 50 ms on two cores."""


def check_kind(kind: str) -> None:
    """Refuse a word that is no `Kind`.

    Raises:
        UsageError: It is none.
    """
    if kind not in get_args(Kind):
        raise UsageError(f"an index is one of {', '.join(get_args(Kind))}; got {kind!r}")


def parts_to_merge(parts: Sequence[Part]) -> list[Part]:
    """Parts that should become one, or one part that should be rewritten; none when nothing is due."""
    for part in parts:
        if part.count < (1 - WASTE) * len(part.segment):
            return [part]
    tiers: dict[int, list[Part]] = {}
    for part in parts:
        tiers.setdefault(_tier(part.count), []).append(part)
    for tier in sorted(tiers):
        if len(tiers[tier]) >= MERGED:
            return tiers[tier]
    return []


def walks(kind: Kind, state: State) -> bool:
    """Whether searches walk the graphs of the segments that have one."""
    if kind == "auto":
        return sum(part.segment.codes.nbytes for part in state.parts) > SCAN_LIMIT
    return kind == "hnsw"


def parts_to_link(kind: Kind, state: State) -> list[Part]:
    """Parts that should have a graph and have none."""
    if not walks(kind, state):
        return []
    return [part for part in state.parts if len(part.segment) >= GRAPH_ROWS and part.segment.graph is None]


def _tier(rows: int) -> int:
    """How many times eight tails go into it."""
    tier, size = 0, FULL_TAIL * MERGED
    while rows >= size:
        tier, size = tier + 1, size * MERGED
    return tier
