"""Open-set searches through the parts that users get: a gallery file, its index, its thresholds."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from visavis.calibration.table import Calibration
from visavis.gallery.gallery import Gallery
from visavis.gallery.index.live_index import LiveIndex
from visavis.gallery.sample import NewSample
from visavis.metrics.searches import Searches
from visavis.pipeline.gallery_search import GallerySearch
from visavis.types import FPIR, PersonCandidate, Templates

DEPTH = 20
"""Candidates of a search."""
_PORTION = 512


@dataclass(frozen=True, slots=True, eq=False)
class GallerySearches:
    """What the searches found, in two orders of the candidates.

    Attributes:
        by_similarity: Ranked by the similarity to the person's template, as candidates are listed.
        by_evidence: Ranked by the similarity of single pictures that is as rare among strangers, which a threshold is
            applied to; the similarities are these.
        size: People of the gallery.
        warnings: What the gallery search wants known.
        seconds: Of enrolling, of making the index, and of all searches.
    """

    by_similarity: Searches
    by_evidence: Searches
    size: int
    warnings: tuple[str, ...]
    seconds: dict[str, float]


def gallery_searches(
    enrolled: Templates,
    people: Sequence[str],
    probes: Templates,
    probe_people: Sequence[str],
    *,
    calibration: Calibration,
    at: FPIR,
) -> GallerySearches:
    """Enrol templates in a gallery and search it.

    Args:
        enrolled: A row a picture, with its quality; failed ones are not enrolled.
        people: Person of each.
        probes: A row a search.
        probe_people: Person of each; one who is in ``people`` is mated, also where all pictures of them failed.
        calibration: Fitted in their space.
        at: An operating point of it.
    """
    begin = time.perf_counter()
    with TemporaryDirectory(prefix="visavis-open-set-") as folder:
        gallery = Gallery.create(
            Path(folder) / "people.gallery", space=enrolled.space, made_by=enrolled.made_by, keep_crops=False
        )
        _enrol(gallery, enrolled, people)
        filled = time.perf_counter()
        index = LiveIndex(gallery)
        search = GallerySearch(gallery, index, calibration=calibration, at=at)
        scope = search.scope()
        ready = time.perf_counter()
        found: list[list[PersonCandidate]] = []
        for start in range(0, len(probes), _PORTION):
            found += search.candidates(probes[start : start + _PORTION], depth=DEPTH, scope=scope)
        done = time.perf_counter()
        index.close()
        gallery.close()
    mated = np.isin(np.asarray(probe_people), np.unique(np.asarray(people)))
    size, lost = len(set(people)), len(set(people)) - scope.terms.people
    plain = [[(one.person, one.similarity) for one in row] for row in found]
    single = [
        [(one.person, calibration.single(one.similarity, left=1, right=one.samples)) for one in row] for row in found
    ]
    return GallerySearches(
        _searches(plain, probe_people, mated, ~probes.ok, entries=size, lost=lost),
        _searches(single, probe_people, mated, ~probes.ok, entries=size, lost=lost),
        scope.terms.people,
        scope.terms.warnings,
        {"enrolment": filled - begin, "index": ready - filled, "searches": done - ready},
    )


def _enrol(gallery: Gallery, templates: Templates, people: Sequence[str]) -> None:
    samples = [
        NewSample(
            person=people[row],
            source=f"row {row}",
            sha256=hashlib.sha256(str(row).encode()).hexdigest(),
            box=(0.0, 0.0, 1.0, 1.0),
            score=1.0,
            quality=float(templates.quality[row]),
            norm=float(templates.norms[row]),
            vector=templates.vectors[row],
        )
        for row in np.flatnonzero(templates.ok).tolist()
    ]
    for start in range(0, len(samples), _PORTION):
        gallery.add_samples(samples[start : start + _PORTION])


def _searches(
    found: Sequence[Sequence[tuple[str, float]]],
    wanted: Sequence[str],
    mated: NDArray[np.bool_],
    failed: NDArray[np.bool_],
    *,
    entries: int,
    lost: int,
) -> Searches:
    """Candidates of each search, by person and score, as columns; another person of an equal score ranks before."""
    count = len(wanted)
    rank = np.zeros(count, np.int64)
    mate, top = np.full((2, count), np.nan, np.float32)
    for row, candidates in enumerate(found):
        scores = {person: score for person, score in candidates}
        if not scores:
            continue
        top[row] = max(scores.values())
        own = scores.pop(wanted[row], None)
        if own is not None:
            mate[row] = own
            rank[row] = 1 + sum(score >= own for score in scores.values())
    hits = np.flatnonzero(rank)
    return Searches(mated, failed, rank, mate, top, hits, rank[hits], entries, lost)
