"""From the embeddings of many images to one template a set of images, by media."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError, UsageError
from visavis.protocols.embedding_file import EmbeddingFile

_ROWS = 8192
"""Images read at a time; one template is never cut."""


@dataclass(frozen=True, slots=True, eq=False)
class PooledTemplates:
    """One template a set of images.

    Attributes:
        vectors: float32 ``(T, D)``, unit norm; NaN where no image of the template is left.
        failed_images: bool ``(N,)``: images without an embedding, which were left out.
    """

    vectors: NDArray[np.float32]
    failed_images: NDArray[np.bool_]

    @property
    def failed(self) -> NDArray[np.bool_]:
        """bool ``(T,)``: templates without any image left."""
        return np.isnan(self.vectors[:, 0])


def pool_by_media(
    embeddings: EmbeddingFile,
    template: NDArray[np.integer],
    media: NDArray[np.integer],
    *,
    keep_norm: bool = False,
    weights: NDArray[np.float32] | None = None,
) -> PooledTemplates:
    """Mean over the images of each medium, sum over the media of each template, unit norm.

    This is the pooling of the IJB evaluations of InsightFace and CVLface: the frames of one video count as much as one
    still image. An image counts as its unit vector, or, with ``keep_norm``, as its embedding, whose norm is a weight;
    ``weights`` come on top. A failed image (a row that is not finite or all zero, or a weight that is not a positive
    number) is left out of its medium.

    Args:
        embeddings: A row an image.
        template: int ``(N,)``: the template of each image, 0..T-1.
        media: int ``(N,)``: the medium of each image.
        keep_norm: Weigh by the norm of the embedding.
        weights: float32 ``(N,)``: further weights, for example detection scores.

    Raises:
        UsageError: Columns of other lengths, no image, or a template of 0..T-1 without an image.
        InputError: Another number of embeddings than images.
    """
    count = len(template)
    if media.shape != (count,) or (weights is not None and weights.shape != (count,)):
        raise UsageError("template, media and weights must hold one number an image")
    if not count or template.min() < 0 or not np.bincount(template).all():
        raise UsageError("template must number the templates 0..T-1 without a gap, each with an image")
    if embeddings.rows != count:
        raise InputError(
            f"{embeddings.path} holds {embeddings.rows} embeddings and the list names {count} images; they must be "
            "those of this list, in its order",
            reason="protocol",
        )
    number = 1 + int(template.max())
    vectors = np.full((number, embeddings.dimension), np.nan, np.float32)
    failed = np.zeros(count, np.bool_)
    for rows in _groups(template):
        block = embeddings.read(rows)
        lengths = np.sqrt(np.einsum("nd,nd->n", block, block, dtype=np.float32))
        weight = np.ones(len(rows), np.float32) if weights is None else weights[rows]
        ok = np.isfinite(lengths) & (lengths > 0) & np.isfinite(weight) & (weight > 0)
        if not ok.all():
            failed[rows[~ok]] = True
            block[~ok] = 0
        scale = weight if keep_norm else np.divide(weight, lengths, out=np.zeros_like(weight), where=ok)
        scale = np.where(ok, scale, 0) / _companions(template[rows], media[rows], ok)
        starts = np.flatnonzero(np.diff(template[rows], prepend=-1))
        for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
            vectors[template[rows[start]]] = scale[start:stop].astype(np.float32) @ block[start:stop]
    return PooledTemplates(_unit(vectors), failed)


def _groups(template: NDArray[np.integer]) -> Iterator[NDArray[np.intp]]:
    """Some images at a time, template by template, so that no template is cut."""
    order = np.argsort(template, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(template[order])) + 1, len(order))
    start = 0
    while start < len(order):
        fitting = int(np.searchsorted(ends, start + _ROWS, side="right")) - 1
        stop = int(ends[fitting]) if fitting >= 0 and ends[fitting] > start else int(
            ends[np.searchsorted(ends, start, side="right")]
        )  # fmt: skip
        yield order[start:stop]
        start = stop


def _companions(
    template: NDArray[np.integer], media: NDArray[np.integer], ok: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """How many images that did not fail each image's medium has in its template, at least 1."""
    keys = template.astype(np.int64) << 32 | media.astype(np.int64)
    _, codes = np.unique(keys, return_inverse=True)
    return np.maximum(np.bincount(codes, weights=ok)[codes], 1).astype(np.float32)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1)
    lengths[~(lengths > 0)] = np.nan
    unit: NDArray[np.float32] = vectors / lengths[:, None]
    return unit
