"""One-to-many searches: where the mates of each probe stand in a gallery."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.errors import UsageError
from visavis.metrics import _arrays

_CELLS = 1 << 24
"""Similarities of a block of probes: 64 MiB of float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """What one search a probe found, a row each; no threshold is applied yet.

    Attributes:
        mated: bool ``(P,)``: the person of the probe is enrolled, if only by entries that failed.
        failed: bool ``(P,)``: the probe gave no template; the search returns nobody.
        rank: int64 ``(P,)``: identification rank of the best mate, from 1; 0 where no mate is returned.
        mate: float32 ``(P,)``: similarity of the best mate; NaN where ``rank`` is 0.
        top: float32 ``(P,)``: highest similarity in the gallery; NaN where nothing is returned.
        mate_probe: int64 ``(K,)``: the probe of each mate that is returned, ascending.
        mate_rank: int64 ``(K,)``: its rank; ascending within a probe.
        entries: Entries (or people) of the gallery.
        failed_entries: Those of them without a template; they are never returned.
    """

    mated: NDArray[np.bool_]
    failed: NDArray[np.bool_]
    rank: NDArray[np.int64]
    mate: NDArray[np.float32]
    top: NDArray[np.float32]
    mate_probe: NDArray[np.int64]
    mate_rank: NDArray[np.int64]
    entries: int
    failed_entries: int

    def __len__(self) -> int:
        return len(self.mated)


def search(
    probes: NDArray[np.float32],
    gallery: NDArray[np.float32],
    probe_people: ArrayLike,
    gallery_people: ArrayLike,
    *,
    unit: Literal["entry", "person"] = "entry",
) -> Searches:
    """Compare every probe with every entry, in blocks of bounded memory.

    The rank of a mate is 1 + the number of other people's entries of equal or higher similarity + the number of
    better mates: a tie counts against the system. A probe or an entry with NaN is a failed acquisition.

    Args:
        probes: float32 ``(P, D)``, unit norm.
        gallery: float32 ``(G, D)``, unit norm.
        probe_people: Person of each probe ``(P,)``, integers or text.
        gallery_people: Person of each entry ``(G,)``, of the same kind.
        unit: What a candidate list holds: ``entry``, or ``person``, whose similarity is that of the best entry.

    Raises:
        UsageError: Shapes, dtypes or people that do not fit.

    Example:
        >>> rows = np.eye(3, dtype=np.float32)
        >>> found = search(rows[:2], rows, ["ann", "bob"], ["ann", "cid", "bob"])
        >>> found.rank.tolist()
        [1, 3]
    """
    for name, vectors in (("probes", probes), ("gallery", gallery)):
        if not isinstance(vectors, np.ndarray) or vectors.dtype != np.float32 or vectors.ndim != 2 or not len(vectors):
            raise UsageError(f"{name} must be a float32 array (N, D) with at least one row")
    if probes.shape[1] != gallery.shape[1]:
        raise UsageError(
            f"probes have {probes.shape[1]} dimensions and the gallery {gallery.shape[1]}; they must be of one model"
        )
    if unit not in ("entry", "person"):
        raise UsageError(f"unit is entry or person; got {unit!r}")
    wanted, enrolled = _codes(probe_people, gallery_people, len(probes), len(gallery))
    order = np.argsort(enrolled, kind="stable")
    people, starts = np.unique(enrolled[order], return_index=True)
    candidates = enrolled if unit == "entry" else people
    failed_rows = _failed(gallery)
    usable = ~failed_rows if unit == "entry" else np.logical_or.reduceat(~failed_rows[order], starts)
    result = _Rows(len(probes))
    for block, rows in _blocks(probes, gallery):
        scores = block if unit == "entry" else np.fmax.reduceat(block[:, order], starts, axis=1)
        result.take(rows, scores, wanted, candidates)
    return Searches(
        mated=np.isin(wanted, people),
        failed=_failed(probes),
        rank=result.rank,
        mate=result.mate,
        top=result.top,
        mate_probe=np.repeat(np.arange(len(probes)), [len(one) for one in result.ranks]),
        mate_rank=np.concatenate(result.ranks) if result.ranks else np.zeros(0, np.int64),
        entries=len(candidates),
        failed_entries=int((~usable).sum()),
    )


class _Rows:
    """The columns of `Searches` as the blocks fill them."""

    def __init__(self, probes: int) -> None:
        self.rank = np.zeros(probes, np.int64)
        self.mate = np.full(probes, np.nan, np.float32)
        self.top = np.full(probes, np.nan, np.float32)
        self.ranks: list[NDArray[np.int64]] = []

    def take(
        self, rows: range, scores: NDArray[np.float32], wanted: NDArray[np.intp], candidates: NDArray[np.intp]
    ) -> None:
        self.top[rows.start : rows.stop] = np.fmax.reduce(scores, axis=1)
        for row, line in zip(rows, scores, strict=True):
            is_mate = candidates == wanted[row]
            mates = line[is_mate]
            mates = np.sort(mates[~np.isnan(mates)])[::-1]
            if not len(mates):
                self.ranks.append(np.zeros(0, np.int64))
                continue
            others = line[~is_mate]
            others = np.sort(others[~np.isnan(others)])
            ahead = len(others) - np.searchsorted(others, mates, side="left")
            ranks = ahead.astype(np.int64) + np.arange(1, len(mates) + 1)
            self.rank[row], self.mate[row] = ranks[0], mates[0]
            self.ranks.append(ranks)


def _blocks(probes: NDArray[np.float32], gallery: NDArray[np.float32]) -> Iterator[tuple[NDArray[np.float32], range]]:
    """The similarities of some probes at a time, and which they are."""
    step = max(1, _CELLS // len(gallery))
    for start in range(0, len(probes), step):
        part = probes[start : start + step]
        with np.errstate(invalid="ignore"):
            yield part @ gallery.T, range(start, start + len(part))


def _failed(vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray(np.isnan(vectors).any(axis=1), np.bool_)


def _codes(
    probe_people: ArrayLike, gallery_people: ArrayLike, probes: int, entries: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Codes of the people of both sides."""
    wanted, enrolled = np.asarray(probe_people), np.asarray(gallery_people)
    if wanted.shape != (probes,) or enrolled.shape != (entries,):
        raise UsageError(
            f"one person a row is needed: {probes} probes and {entries} entries; got {wanted.shape} and "
            f"{enrolled.shape}"
        )
    codes, _, _ = _arrays.people(np.concatenate([wanted, enrolled]), np.concatenate([wanted, enrolled]))
    _arrays.people(wanted[:1], enrolled[:1])  # two kinds of names never match
    return codes[:probes], codes[probes:]
