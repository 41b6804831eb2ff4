"""Made-up galleries and probes for timing searches: faces-like vectors with relatives, copies and ties."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis.gallery.changes import Changes
from visavis.types import Provenance, Status, Templates, TemplateSpace

KINDS = ("random", "near", "copy", "tie", "between")
"""What a probe is: of nobody, another picture of somebody, the very row of somebody, near many equal rows, or half-way
between two rows."""

_BLOCK = 16_384
_FAMILY = 8
_RELATED = 0.5
_NEAR = 0.7
_COPIES = 1000
_TIED = 200
_LARGEST_TIE = 5000


@dataclass(frozen=True, slots=True, eq=False)
class MadeGallery:
    """A gallery of made-up people.

    Half of the rows are directions at random. The other half are of families of eight, of whom two are about 0.5
    similar. One row in a thousand is a copy of another, and one row stands there once in
    two hundred, at most 5,000 times.

    Attributes:
        vectors: float32 ``(N, D)``, unit norm.
        copies: int64: rows that are copies of the row before them.
        tie: int64: rows that are all equal.
    """

    vectors: NDArray[np.float32]
    copies: NDArray[np.int64]
    tie: NDArray[np.int64]

    @classmethod
    def of(cls, count: int, dimension: int, *, seed: int) -> MadeGallery:
        """A gallery of so many people; the same seed gives the same one."""
        rng = np.random.default_rng(seed)
        vectors = np.empty((count, dimension), np.float32)
        for start in range(0, count, _BLOCK):
            rows = rng.standard_normal((min(_BLOCK, count - start), dimension), dtype=np.float32)
            related = len(rows) // 2 // _FAMILY * _FAMILY
            families = rng.standard_normal((related // _FAMILY, dimension), dtype=np.float32)
            share = np.float32(_RELATED)
            rows[:related] = np.sqrt(share) * np.repeat(families, _FAMILY, axis=0) + np.sqrt(1 - share) * rows[:related]
            vectors[start : start + len(rows)] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        places = rng.permutation(count - 1)[: count // _COPIES + min(_LARGEST_TIE, count // _TIED)].astype(np.int64) + 1
        copies, tie = np.split(places, [count // _COPIES])
        vectors[copies] = vectors[copies - 1]
        vectors[tie] = vectors[0]
        return cls(vectors, copies, tie)

    def probes(self, count: int, *, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Probes of each of `KINDS`.

        Returns:
            float32 ``(N, D)``, unit norm, and int64 ``(N,)``: the kind of each.
        """
        rng = np.random.default_rng([seed, 1])
        size, dimension = self.vectors.shape
        kinds = rng.choice(len(KINDS), count, p=(0.35, 0.35, 0.2, 0.01, 0.09))
        noise = rng.standard_normal((count, dimension))
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        rows, others = rng.integers(0, size, (2, count))
        doubled = kinds == KINDS.index("copy")
        doubled[doubled] = rng.random(int(doubled.sum())) < 0.5
        if len(self.copies):
            rows[doubled] = rng.choice(self.copies, int(doubled.sum()))
        rows[kinds == KINDS.index("tie")] = 0
        share = np.array([0.0, _NEAR, 1.0, _NEAR, 0.5])[kinds][:, None]
        other = np.where((kinds == KINDS.index("between"))[:, None], self.vectors[others], noise)
        mixed = share * self.vectors[rows] + np.where(share == 0.5, 0.5, np.sqrt(1 - share**2)) * other
        mixed = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)
        copy = kinds == KINDS.index("copy")
        mixed[copy] = self.vectors[rows[copy]]
        return mixed, kinds


class MadeFeed:
    """The feed of a made-up gallery; its keys are its rows."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self._vectors = vectors
        self.space = TemplateSpace("made", "none", "none", "made", vectors.shape[1])

    @property
    def path(self) -> Path | None:
        """It has no file."""
        return None

    @property
    def info(self) -> MadeFeed:
        """Whose vectors these are."""
        return self

    @property
    def uuid(self) -> str:
        """Of every made-up gallery."""
        return "made"

    @property
    def revision(self) -> int:
        """Number of rows."""
        return len(self._vectors)

    def changes(self, since: int, *, page: int = 10_000) -> Iterator[Changes]:
        """The rows after the first so many."""
        for start in range(since, len(self._vectors), page):
            end = min(start + page, len(self._vectors))
            keys = np.arange(start, end, dtype=np.int64)
            yield Changes(keys, self._vectors[start:end], np.empty(0, np.int64), end)

    def last_write(self) -> str:
        """Its rows never change."""
        return "made"

    def has_write(self, write: str) -> bool:
        """Whether it is the one there is."""
        return write == "made"

    def templates(self, vectors: NDArray[np.float32]) -> Templates:
        """Vectors as probes."""
        ones = np.ones(len(vectors), np.float32)
        made_by = Provenance("made", "none", "fp32", "", "")
        return Templates(vectors, ones, Status.good(len(vectors)), ones * np.nan, self.space, made_by)
