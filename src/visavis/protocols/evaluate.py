"""Run a verification protocol: from a pair list and pictures to a result."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.calibration.table import Calibration
from visavis.errors import InputError, ModelError, UnreadableError
from visavis.io import ImageStore, Source
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.folds import protocol_folds
from visavis.protocols.ledger import Ledger
from visavis.protocols.pairs import PairList
from visavis.protocols.people import pair_people
from visavis.protocols.result import VerificationResult, verification_result
from visavis.recognition.compact import CompactTemplates
from visavis.types import FMR, Status, Templates

SHIPPED_AT = FMR(1e-3)
"""The operating point whose shipped threshold a result is judged at."""

Progress = Callable[[int, int], None]
_CODES = "Templates were compared as they come back from one byte a value."


@dataclass(frozen=True, slots=True, eq=False)
class PairScores:
    """The similarities of a pair list, and what could not be read.

    Attributes:
        similarities: float64 ``(P,)``; NaN where a side failed.
        failures: Per distinct picture of the list, None or the reason it failed.
        seconds: From the first byte read to the last template.
    """

    similarities: NDArray[np.float64]
    failures: Status
    seconds: float


def score_pairs(
    pipeline: Pipeline, pairs: PairList, store: ImageStore, *, codes: bool = False, progress: Progress | None = None
) -> PairScores:
    """Embed every distinct picture once and compare the pairs; the most central large face of each picture.

    A picture that is missing, unreadable or without a face fails its pairs; nothing else stops.

    Args:
        pipeline: From pictures to templates.
        pairs: The pairs.
        store: Where the pictures are; names with or without the top folder.
        codes: Compare templates as they come back from one byte a value; see `CompactTemplates`.
        progress: Called with the number of pictures done and of all.

    Raises:
        InputError: None of the pictures gave a template.
    """
    names = pairs.images
    pipeline.embed([np.zeros((112, 112, 3), np.uint8)])  # the engines start; not timed
    begin = time.perf_counter()
    parts: list[Templates] = []
    done = 0
    for part in pipeline.stream([source_of(store, name) for name in names]):
        parts.append(part.templates)
        done += len(part)
        if progress is not None:
            progress(done, len(names))
    templates = Templates.concat(parts)
    seconds = time.perf_counter() - begin
    if not templates.ok.any():
        first = next(failure for failure in templates.status if failure is not None)
        raise InputError(f"none of the {len(names)} pictures gave a template; the first: {first.message}")
    if codes:
        templates = CompactTemplates.of(templates).decoded()
    left, right = pairs.positions()
    vectors = templates.vectors.astype(np.float64)
    similarities = np.einsum("pd,pd->p", vectors[left], vectors[right])
    return PairScores(similarities, templates.status, seconds)


def evaluate_pairs(
    pipeline: Pipeline,
    pairs: PairList,
    store: ImageStore,
    *,
    set_name: str | None,
    seed: int = 0,
    resamples: int = 1000,
    codes: bool = False,
    progress: Progress | None = None,
) -> tuple[VerificationResult, PairScores]:
    """All verification figures of a pipeline on a pair list, with intervals over people.

    Args:
        pipeline: From pictures to templates.
        pairs: The pairs; see `pair_people` for lists that do not name their people.
        store: Where the pictures are.
        set_name: The data set by the ledger's name, see `Ledger.guess_set`; None when it is not known.
        seed: Seed of drawn folds and of resamples.
        resamples: Number of resamples of people.
        codes: Compare templates of one byte a value.
        progress: Called with the number of pictures done and of all.

    Raises:
        UsageError: The list cannot be evaluated: one kind of pair only, a single fold, contradicting labels.
        InputError: None of the pictures gave a template.
    """
    protocol_folds(pairs, seed=seed)
    scored = score_pairs(pipeline, pairs, store, codes=codes, progress=progress)
    ledger = Ledger.load()
    people = pair_people(pairs)
    roles = ledger.roles(set_name, {*people.person1, *people.person2})
    failed = Counter(failure.reason for failure in scored.failures if failure is not None)
    result = verification_result(
        scored.similarities,
        pairs,
        shipped=_shipped(pipeline),
        images=len(scored.failures),
        failed_images=dict(failed),
        seconds=scored.seconds,
        roles=roles,
        ledger_sha256=ledger.hash,
        notes=(*pipeline_notes(pipeline), *([_CODES] if codes else [])),
        model=pipeline.made_by.model,
        space=pipeline.space.fingerprint,
        made_by=pipeline.made_by.to_dict(),
        seed=seed,
        resamples=resamples,
    )
    return result, scored


def pipeline_notes(pipeline: Pipeline) -> tuple[str, ...]:
    """What the card of the recogniser wants read beside its figures."""
    card = getattr(pipeline.embedder, "card", None)
    return () if card is None else tuple(card.notes)


def _shipped(pipeline: Pipeline) -> tuple[float, str] | None:
    try:
        calibration = pipeline.calibration()
    except ModelError:
        return None
    return shipped_threshold(calibration)


def shipped_threshold(calibration: Calibration) -> tuple[float, str]:
    """The threshold of a calibration that a result is judged at, and its label."""
    return calibration.threshold(SHIPPED_AT), f"{SHIPPED_AT}, fitted on: {calibration.population}"


def source_of(store: ImageStore, name: str) -> Source:
    """A picture of a store; one that it does not hold is a source that fails when it is read."""
    try:
        return store.get(name)
    except UnreadableError as error:
        return Source.refused(name, error)
