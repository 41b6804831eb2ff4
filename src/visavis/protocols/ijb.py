"""IJB-B and IJB-C: templates of many images, 1:1 and 1:N."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError
from visavis.io import FolderStore
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.embedding_file import EmbeddingFile, EmbeddingWriter
from visavis.protocols.evaluate import source_of
from visavis.protocols.given_points import failed_reasons, given_space, raw_vectors, recogniser_of, stream_templates
from visavis.protocols.ijb_identification import identification_figures
from visavis.protocols.ijb_layout import IjbFolder, IjbImages
from visavis.protocols.ijb_verification import template_people, verification_figures
from visavis.protocols.labelled import Progress
from visavis.protocols.person_intervals import check_draws
from visavis.protocols.protocol_result import ProtocolResult, Recogniser
from visavis.protocols.role_notes import roles_touched
from visavis.protocols.template_pairs import pair_similarities
from visavis.protocols.template_pooling import PooledTemplates, pool_by_media
from visavis.types import Status


@dataclass(frozen=True, slots=True)
class IjbWeights:
    """What an image weighs in its template; nothing when all are left out.

    Attributes:
        norm: Weigh by the norm of the embedding (``use_norm_score`` of InsightFace's ``ijb_11.py``).
        detector: Weigh by the detection score in ``name_5pts_score`` (``use_detector_score``).
        values: float32 ``(N,)``: further weights, for example the norms of embeddings that were stored at unit norm.
    """

    norm: bool = False
    detector: bool = False
    values: NDArray[np.float32] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class IjbTemplates:
    """The templates of a set, ready to be compared.

    Attributes:
        folder: Where the set is.
        images: Its images.
        pooled: The templates.
        recogniser: What made the embeddings.
        failed_images: Number of failed images by reason.
        weights: How images were weighed.
        seconds: Seconds by step.
    """

    folder: IjbFolder
    images: IjbImages
    pooled: PooledTemplates
    recogniser: Recogniser
    failed_images: Mapping[str, int]
    weights: IjbWeights
    seconds: Mapping[str, float]


def embed_ijb(
    pipeline: Pipeline, folder: IjbFolder, path: str | Path, *, progress: Progress | None = None
) -> tuple[Recogniser, dict[str, int]]:
    """Embed all loose crops, aligned by the five points of the list, into an ``.npy`` file.

    The rows are embeddings as the network gave them, with their norm; the mirror image is averaged in where the
    pipeline flips. A picture that cannot be read is a row of NaN.

    Args:
        pipeline: Its recogniser.
        folder: The set.
        path: The file to write, float32 ``(N, D)``.
        progress: Called with the number of images done and of all.

    Returns:
        What a result says about the recogniser, and the number of failed images by reason.

    Raises:
        InputError: The files do not fit, or no picture could be read.
        UsageError: The file cannot be written.
    """
    images = folder.images()
    points, _ = folder.points(images)
    store = FolderStore(folder.path / "loose_crop")
    sources = [source_of(store, name) for name in images.names]
    space = given_space(pipeline)
    failures = []
    with EmbeddingWriter(path, rows=len(sources), dimension=space.dimension) as writer:
        for templates in stream_templates(pipeline, sources, points=points, progress=progress):
            writer.write(raw_vectors(templates))
            failures += [failure for failure in templates.status if failure is not None]
        if len(failures) == len(sources):  # inside: a file that was there before stays
            raise InputError(f"none of the {len(sources)} images gave an embedding; the first: {failures[0].message}")
    return recogniser_of(pipeline, space), failed_reasons(Status(tuple(failures)))


def pool_ijb(
    folder: IjbFolder,
    embeddings: str | Path,
    *,
    weights: IjbWeights | None = None,
    recogniser: Recogniser | None = None,
    failed_images: Mapping[str, int] | None = None,
) -> IjbTemplates:
    """Templates of a set from the embeddings of its images, by `pool_by_media`.

    Args:
        folder: The set.
        embeddings: ``.npy`` file ``(N, D)``, a row an image in the order of ``face_tid_mid``.
        weights: What an image weighs.
        recogniser: What made the embeddings; the name of the file when None.
        failed_images: Failed images by reason, where known.

    Raises:
        UnreadableError: A file cannot be read.
        InputError: A file that does not fit.
    """
    chosen = weights or IjbWeights()
    clock = _Clock()
    images = folder.images()
    values = chosen.values
    if chosen.detector:
        score = folder.points(images)[1]
        values = score if values is None else score * values
    clock.lap("lists")
    with EmbeddingFile(embeddings) as file:
        pooled = pool_by_media(file, images.row, images.media, keep_norm=chosen.norm, weights=values)
    clock.lap("pooling")
    if pooled.failed.all():
        raise InputError(f"{embeddings} holds no usable embedding of any template", reason="protocol")
    failed = int(pooled.failed_images.sum())
    known = dict(failed_images) if failed_images else {}
    known = {**known, "embedding": known.get("embedding", 0) + failed - sum(known.values())}
    return IjbTemplates(
        folder,
        images,
        pooled,
        recogniser or Recogniser(model=f"embeddings of {Path(embeddings).name}"),
        {reason: count for reason, count in known.items() if count > 0},
        chosen,
        clock.laps,
    )


def evaluate_ijb_verification(templates: IjbTemplates, *, seed: int = 0, resamples: int = 1000) -> ProtocolResult:
    """1:1: TAR at FAR 1e-6 to 1e-1 over all pairs of the list, with intervals over subjects.

    Args:
        templates: The templates.
        seed: Seed of resamples.
        resamples: Number of resamples of subjects; 0 for none.

    Raises:
        UnreadableError: A file cannot be read.
        InputError: A file that does not fit.
        UsageError: A seed or number of resamples that nothing can be drawn with.
    """
    check_draws(seed, resamples, least=0)
    clock = _Clock()
    pairs = templates.folder.pairs(templates.images)
    clock.lap("pair list")
    similarities = pair_similarities(templates.pooled.vectors, pairs.left, pairs.right)
    clock.lap("similarities")
    people = template_people(templates.folder, templates.images, pairs)
    found = verification_figures(similarities, pairs, people.codes, seed=seed, resamples=resamples, lap=clock.lap)
    result = _result(templates, "ijb.1-1", people.names, seed=seed, resamples=resamples, seconds=clock.laps)
    return replace(
        result,
        numbers={
            **result.numbers,
            "pairs": len(pairs),
            "mated": int(pairs.same.sum()),
            "nonmated": int((~pairs.same).sum()),
            "failed_pairs": int(np.isnan(similarities).sum()),
            "people": len(people.names),
        },
        figures=found.figures,
        notes=(*people.notes, *result.notes),
        curves={"roc": found.roc},
    )


def evaluate_ijb_identification(templates: IjbTemplates, *, seed: int = 0, resamples: int = 1000) -> ProtocolResult:
    """1:N: closed-set rank and TPIR at FPIR on both galleries and their mean, with intervals over subjects.

    Args:
        templates: The templates.
        seed: Seed of resamples.
        resamples: Number of resamples of subjects; 0 for none.

    Raises:
        UnreadableError: A file cannot be read.
        InputError: A file that does not fit.
        UsageError: A seed or number of resamples that nothing can be drawn with.
    """
    check_draws(seed, resamples, least=0)
    clock = _Clock()
    first, second, probes = templates.folder.subjects(templates.images)
    clock.lap("lists")
    names = templates.folder.galleries
    galleries = {name: one for name, one in zip(names, (first, second), strict=True)}
    found = identification_figures(
        templates.pooled.vectors, galleries, probes, seed=seed, resamples=resamples, lap=clock.lap
    )
    people = {str(person) for one in (first, second, probes) for person in one.people.tolist()}
    result = _result(templates, "ijb.1-n", people, seed=seed, resamples=resamples, seconds=clock.laps)
    return replace(
        result,
        numbers={**result.numbers, **found.numbers, "people": len(people)},
        figures=found.figures,
        notes=(*found.notes, *result.notes),
        curves={"cmc": found.cmc},
    )


def _result(
    templates: IjbTemplates,
    kind: str,
    people: set[str] | tuple[str, ...],
    *,
    seed: int,
    resamples: int,
    seconds: Mapping[str, float],
) -> ProtocolResult:
    """What both protocols say alike."""
    roles, ledger, notes = roles_touched(templates.folder.name, people)
    weights = templates.weights
    return ProtocolResult(
        kind=kind,
        data=templates.folder.name,
        recogniser=templates.recogniser,
        numbers={
            "templates": len(templates.images.templates),
            "failed_templates": int(templates.pooled.failed.sum()),
            "media": len(np.unique(templates.images.row.astype(np.int64) << 32 | templates.images.media)),
        },
        figures=(),
        failed_images=templates.failed_images,
        images=len(templates.images.names),
        settings={
            "pooling": "mean of each medium, sum over media, unit norm",
            "norm_weight": weights.norm,
            "detector_weight": weights.detector,
            "other_weights": weights.values is not None,
        },
        roles=roles,
        ledger=ledger,
        notes=notes,
        seed=seed,
        resamples=resamples,
        seconds={**templates.seconds, **seconds},
    )


class _Clock:
    """Seconds of each step."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = self.laps.get(name, 0.0) + now - self._last
        self._last = now
