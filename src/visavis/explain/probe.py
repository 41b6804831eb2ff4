"""Hide parts of faces and look at the similarity: many masks of many pairs in one batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from visavis.errors import ModelError, SpaceError, UsageError
from visavis.explain.fills import covered
from visavis.types import Crops, Status
from visavis.types.protocols import Embedder

Vectors = NDArray[np.float64]

BATCH = 128
"""Crops that are handed to the embedder at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Hiding:
    """How one crop is changed: masks, and what is put there.

    Attributes:
        masks: float32 ``(K, H, W)`` in 0..1; 1 is replaced.
        filling: For each mask the picture that is put there, ``(H, W, 3)`` in 0..255.
    """

    masks: NDArray[np.float32]
    filling: Sequence[NDArray[np.floating]]

    def pictures(self, pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
        """The changed crops, in order."""
        return (covered(pixels, mask, filling) for mask, filling in zip(self.masks, self.filling, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Probed:
    """The embeddings of one pair, whole and changed.

    Attributes:
        whole: float64 ``(2, D)``: unit vectors of the two crops.
        left: float64 ``(K, D)``: of the first crop, changed.
        right: float64 ``(L, D)``: of the second crop, changed.
    """

    whole: Vectors
    left: Vectors
    right: Vectors

    @property
    def similarity(self) -> float:
        """Cosine of the two crops."""
        return float(self.whole[0] @ self.whole[1])

    @property
    def left_only(self) -> Vectors:
        """float64 ``(K,)``: similarity when the first crop is changed and the second is whole."""
        similarities: Vectors = self.left @ self.whole[1]
        return similarities

    @property
    def right_only(self) -> Vectors:
        """float64 ``(L,)``: similarity when the second crop is changed and the first is whole."""
        similarities: Vectors = self.right @ self.whole[0]
        return similarities

    @property
    def both(self) -> Vectors:
        """float64 ``(K,)``: similarity when both are changed alike; needs K = L."""
        similarities: Vectors = (self.left * self.right).sum(axis=1)
        return similarities

    @property
    def passes(self) -> int:
        """Crops that went through the network for it."""
        return 2 + len(self.left) + len(self.right)


def check_pairs(left: Crops, right: Crops) -> None:
    """Refuse rows that are no pair of crops.

    Raises:
        UsageError: Two lengths, two templates or sizes, or a row that failed.
    """
    if len(left) != len(right):
        raise UsageError(f"explain takes one row a pair on each side; got {len(left)} and {len(right)} crops")
    if left.template != right.template or left.pixels.shape != right.pixels.shape:
        raise UsageError(
            f"both crops of a pair follow one template; got {left.template} {left.pixels.shape[1:]} and "
            f"{right.template} {right.pixels.shape[1:]}"
        )
    for name, crops in (("left", left), ("right", right)):
        for row, failure in enumerate(crops.status):
            if failure is not None:
                raise UsageError(
                    f"row {row} of the {name} crops failed ({failure.reason}: {failure.message}); explain the rows "
                    "that are ok"
                )


def probe(
    embedder: Embedder,
    left: Crops,
    right: Crops,
    left_hidings: Sequence[Hiding | None],
    right_hidings: Sequence[Hiding | None],
) -> list[Probed]:
    """Embed pairs of crops, whole and changed, `BATCH` at a time whatever pair they belong to.

    A changed crop that the network gives no embedding for, because nothing is left of it, counts as similarity 0.

    Args:
        embedder: Anything that makes templates of crops.
        left: The first crop of each pair.
        right: The second.
        left_hidings: How the first crop of each pair is changed; None leaves it whole.
        right_hidings: The same for the second.

    Raises:
        UsageError: Rows that are no pairs.
        ModelError: A whole crop without an embedding.
        SpaceError: Two templates of one pair are of different spaces.
    """
    check_pairs(left, right)
    if left.detector != right.detector:
        raise SpaceError(
            f"the crops of a pair were placed by two detectors, {left.detector} and {right.detector}; align both with "
            "one"
        )
    sides = [(left, left_hidings), (right, right_hidings)]
    vectors = embed_all(embedder, _pictures(sides), left)
    results, start = [], 0
    for row in range(len(left)):
        counts = [_count(hidings[row]) for _, hidings in sides]
        middle, end = start + 2 + counts[0], start + 2 + sum(counts)
        whole = vectors[start : start + 2]
        if not np.isfinite(whole).all():
            raise ModelError(f"the network gives no finite embedding for a crop of pair {row}", reason="embedding")
        changed = np.nan_to_num(vectors[start + 2 : end])
        results.append(Probed(whole, changed[: middle - start - 2], changed[middle - start - 2 :]))
        start = end
    return results


def embed_all(embedder: Embedder, pictures: Iterable[NDArray[np.uint8]], like: Crops) -> Vectors:
    """Unit vectors float64 ``(N, D)`` of single crops; NaN where the network gives none.

    Args:
        embedder: Anything that makes templates of crops.
        pictures: uint8 RGB ``(H, W, 3)`` each.
        like: Crops whose template and detector they share.
    """
    parts = []
    iterator = iter(pictures)
    while chunk := list(islice(iterator, BATCH)):
        matrices = np.zeros((len(chunk), 2, 3), np.float32)
        crops = Crops(np.stack(chunk), matrices, like.template, Status.good(len(chunk)), like.detector)
        parts.append(embedder.embed(crops).vectors.astype(np.float64))
    return np.concatenate(parts) if parts else np.empty((0, 0))


def _pictures(sides: Sequence[tuple[Crops, Sequence[Hiding | None]]]) -> Iterator[NDArray[np.uint8]]:
    """For each pair: both crops whole, then the first changed, then the second changed."""
    for row in range(len(sides[0][0])):
        for crops, _ in sides:
            yield crops.pixels[row]
        for crops, hidings in sides:
            hiding = hidings[row]
            if hiding is not None:
                yield from hiding.pictures(crops.pixels[row])


def _count(hiding: Hiding | None) -> int:
    return 0 if hiding is None else len(hiding.masks)
