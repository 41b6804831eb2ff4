"""Run the error-versus-discard protocol: does a quality measure know which comparisons go wrong?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.data.degradation.degrade import Degrading
from visavis.errors import InputError, UsageError
from visavis.io import FolderStore, TarStore
from visavis.metrics.discard import LIMIT
from visavis.pipeline.assess import assess_stream
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.degraded import degraded_pictures
from visavis.protocols.evaluate import pipeline_notes, source_of
from visavis.protocols.ledger import Ledger
from visavis.protocols.pairs import PairList
from visavis.protocols.people import pair_people
from visavis.protocols.quality_result import QualityResult, quality_result
from visavis.quality.fusion import FUSED
from visavis.types import FMR, Assessment, Status, Templates

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class AssessedPairs:
    """The pictures of a pair list, embedded and assessed.

    Attributes:
        similarities: float64 ``(P,)``; NaN where a side failed.
        qualities: By measure, and ``quality`` for the fused score: float64, one a distinct picture in the order of
            `PairList.images`, higher is better, NaN for a failed picture.
        failures: Per distinct picture, None or the reason it failed.
    """

    similarities: NDArray[np.float64]
    qualities: dict[str, NDArray[np.float64]]
    failures: Status


def joined(lists: Sequence[PairList]) -> PairList:
    """Several pair lists as one, without folds; people are named when all of them name theirs.

    Raises:
        UsageError: No list.
    """
    if not lists:
        raise UsageError("at least one pair list is needed")
    named = all(part.person1 is not None for part in lists)
    return PairList(
        tuple(image for part in lists for image in part.image1),
        tuple(image for part in lists for image in part.image2),
        np.concatenate([part.same for part in lists]),
        None,
        tuple(person for part in lists for person in part.person1 or ()) if named else None,
        tuple(person for part in lists for person in part.person2 or ()) if named else None,
    )


def assess_pairs(
    pipeline: Pipeline,
    pairs: PairList,
    store: TarStore | FolderStore,
    *,
    degrade: Degrading | None = None,
    progress: Progress | None = None,
) -> AssessedPairs:
    """Embed and assess every distinct picture once; the most central large face of each.

    Args:
        pipeline: From pictures to templates.
        pairs: The pairs.
        store: Where the pictures are; names with or without the top folder.
        degrade: Which pictures get worse before anything is detected in them, and how; none when None.
        progress: Called with the number of pictures done and of all.

    Raises:
        InputError: None of the pictures gave a template.
    """
    names = pairs.images
    templates: list[Templates] = []
    assessments: list[Assessment] = []
    done = 0
    sources: Iterable[Any] = [source_of(store, name) for name in names]
    if degrade is not None:
        sources = degraded_pictures(pipeline, list(sources), names, degrade)
    for part in assess_stream(pipeline, sources):
        templates.append(part.analysis.templates)
        assessments.append(part.assessment)
        done += len(part.assessment)
        if progress is not None:
            progress(done, len(names))
    rows, assessment = Templates.concat(templates), Assessment.concat(assessments)
    if not rows.ok.any():
        first = next(failure for failure in rows.status if failure is not None)
        raise InputError(f"none of the {len(names)} pictures gave a template; the first: {first.message}")
    left, right = pairs.positions()
    vectors = rows.vectors.astype(np.float64)
    qualities = {FUSED: assessment.fused.raw.astype(np.float64)}
    for quality in assessment.measures:
        sign = 1.0 if pipeline.assessor.scorers[quality.measure].scale.rising else -1.0
        qualities[quality.measure] = sign * quality.raw.astype(np.float64)
    return AssessedPairs(np.einsum("pd,pd->p", vectors[left], vectors[right]), qualities, rows.status)


def evaluate_quality(
    pipeline: Pipeline,
    lists: Sequence[PairList],
    store: TarStore | FolderStore,
    *,
    set_name: str | None,
    at: FMR | None = None,
    measures: Sequence[str] = (),
    given: Mapping[str, Mapping[str, float]] | None = None,
    degrade: Degrading | None = None,
    limit: float = LIMIT,
    seed: int = 0,
    resamples: int = 1000,
    progress: Progress | None = None,
) -> QualityResult:
    """Error-versus-discard figures of the fused score and of single measures, with intervals over people.

    Args:
        pipeline: From pictures to templates.
        lists: Pair lists whose pairs are mixed.
        store: Where the pictures of all of them are.
        set_name: The data set by the ledger's name, see `Ledger.guess_set`; None when it is not known.
        at: Where the threshold is fixed, once, on the non-mated pairs of all lists; ``FMR(1e-2)`` when None.
        measures: Single measures beside the fused score; all when empty.
        given: Qualities from elsewhere by name, each a value by picture, higher is better; see `read_qualities`. A
            picture without a value has the lowest quality.
        degrade: Which pictures get worse before anything is detected in them, and how; none when None.
        limit: The share of discarded pairs up to which a curve is summed up.
        seed: Seed of resamples and of the random quality.
        resamples: Number of resamples of people.
        progress: Called with the number of pictures done and of all.

    Raises:
        UsageError: An unknown measure, one that this model has not, a given one with the name of another, a limit out
            of its range, or no mated or non-mated pair.
        InputError: None of the pictures gave a template.
    """
    point = at or FMR(1e-2)
    if point.worst_group:
        raise UsageError(
            "the threshold is fixed on the non-mated pairs of the lists; they have no groups: give fmr=RATE"
        )
    known = pipeline.assessor.scorers
    unknown = [name for name in measures if name not in known]
    if unknown:
        raise UsageError(f"no quality measure {', '.join(unknown)}; known: {', '.join(known)}")
    pairs = joined(lists)
    people = pair_people(pairs)
    if not pairs.same.any() or pairs.same.all():
        raise UsageError("an error-versus-discard curve needs mated and non-mated pairs; the lists have one kind only")
    elsewhere = dict(given or {})
    taken = [name for name in elsewhere if name in (*known, FUSED)]
    if taken:
        raise UsageError(f"the given quality {', '.join(taken)} has the name of a measure; rename its column")
    if not 0 < limit <= 0.95:
        raise UsageError(f"the limit of discarded pairs lies above 0 and at most at 0.95; got {limit:g}")
    found = assess_pairs(pipeline, pairs, store, degrade=degrade, progress=progress)
    missing = [name for name in measures if name not in found.qualities]
    if missing:
        raise UsageError(f"{pipeline.made_by.model} has no measure {', '.join(missing)}; its norms have no scale")
    kept = {FUSED, *(measures or known)}
    qualities = {name: values for name, values in found.qualities.items() if name in kept}
    qualities |= {name: _of_images(values, pairs.images, found.failures) for name, values in elsewhere.items()}
    ledger = Ledger.load()
    return quality_result(
        found.similarities,
        pairs,
        qualities,
        people=people,
        at=point,
        images=len(found.failures),
        failed_images=dict(Counter(failure.reason for failure in found.failures if failure is not None)),
        lists=[len(part) for part in lists],
        roles=ledger.roles(set_name, {*people.person1, *people.person2}),
        ledger_sha256=ledger.hash,
        notes=pipeline_notes(pipeline),
        model=pipeline.made_by.model,
        space=pipeline.space.fingerprint,
        made_by=pipeline.made_by.to_dict(),
        degraded=None if degrade is None else asdict(degrade),
        limit=limit,
        seed=seed,
        resamples=resamples,
    )


def _of_images(values: Mapping[str, float], images: Sequence[str], failures: Status) -> NDArray[np.float64]:
    """One value a picture, NaN for a failed one; a picture without a value comes below all others."""
    lowest = min(values.values(), default=0.0) - 1
    found = np.array([values.get(name, lowest) for name in images], np.float64)
    return np.where(failures.ok, found, np.nan)
