"""Templates against a gallery: candidates with their thresholds, and whom to name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visavis.calibration.pooled import LEVELS, level
from visavis.calibration.table import Calibration
from visavis.pipeline.assignment import assign
from visavis.types import FPIR, Candidates, PersonCandidate, SearchTerms, Templates

if TYPE_CHECKING:
    from visavis.gallery.gallery import Gallery
    from visavis.gallery.index.live_index import LiveIndex
    from visavis.gallery.person import Person

_NO_LINES = (
    "the calibration has no thresholds for people of several samples: those of one sample are used, and name strangers "
    "oftener"
)


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """Whom a search is among.

    Attributes:
        keys: int64 ``(N,)``: keys of these people; None for all.
        terms: Operating point, number of people, threshold, population.
        thresholds: By the level of the number of samples; see `visavis.calibration.pooled`.
    """

    keys: NDArray[np.int64] | None
    terms: SearchTerms
    thresholds: Mapping[int, float]


class GallerySearch:
    """Searches a gallery at an operating point; safe to share between threads.

    Args:
        gallery: The people.
        index: Over that gallery.
        calibration: Fitted in the gallery's space.
        at: The operating point.

    Raises:
        ModelError: The calibration has no thresholds of searches, or none at this rate.
    """

    def __init__(self, gallery: Gallery, index: LiveIndex, *, calibration: Calibration, at: FPIR) -> None:
        self.gallery = gallery
        self.index = index
        self.calibration = calibration
        self.at = at
        self._reach = calibration.searches().reach(at.rate)
        self._uuid = gallery.info.uuid

    def scope(self, where: Mapping[str, Any] | None = None) -> Scope:
        """Whom a search is among at this moment, and at which thresholds.

        Args:
            where: Only people whose metadata have these values, as equal JSON. Without it, people whose time has ended
                count as people of the gallery until they are purged, which can only raise the threshold; they are
                never returned.
        """
        if where:
            keys = self.gallery.keys(where=where)
            return self._scope(keys, len(keys), "nobody in the gallery has these metadata")
        self.index.refresh()
        return self._scope(None, len(self.index), "the gallery is empty")

    def candidates(self, templates: Templates, *, depth: int, scope: Scope) -> list[list[PersonCandidate]]:
        """The closest persons of each template, most similar first; none for a failed one.

        Args:
            templates: Of the gallery's space.
            depth: How many, if so many may be found.
            scope: Whom to search.
        """
        most = scope.terms.people
        if not most or not templates.ok.any():
            return [[] for _ in range(len(templates))]
        wanted = asked = min(depth, most)
        while True:
            found = self.index.search(templates, k=asked, among=scope.keys)
            rows = self._usable(found)
            more = found.keys[:, -1] >= 0
            short = any(len(row) < wanted for row, left in zip(rows, more.tolist(), strict=True) if left)
            if not short or asked >= most:
                return [[self._candidate(*one, scope) for one in row[:wanted]] for row in rows]
            asked = min(4 * asked, most)  # some of those who were found may not be

    def evidence(self, candidate: PersonCandidate, scope: Scope) -> float:
        """By how much a candidate passes the threshold, as a similarity of single pictures: comparable between persons.

        The quantity is 0 at the threshold whatever the number of samples.
        """
        single = self.calibration.single(candidate.similarity, left=1, right=candidate.samples)
        base = scope.terms.threshold
        return single - base if base is not None else float("-inf")

    def named(self, faces: Sequence[Sequence[PersonCandidate]], scope: Scope) -> list[PersonCandidate | None]:
        """Whom each face of one picture shows; no person twice.

        Args:
            faces: Candidates of each face.
            scope: Of their search.
        """
        people = sorted({candidate.person for row in faces for candidate in row})
        column = {person: number for number, person in enumerate(people)}
        table = np.full((len(faces), len(people)), -np.inf)
        for row, candidates in enumerate(faces):
            for candidate in candidates:
                table[row, column[candidate.person]] = self.evidence(candidate, scope)
        chosen = [people[number] if number >= 0 else None for number in assign(table).tolist()]
        return [
            next((candidate for candidate in row if candidate.person == person), None)
            for row, person in zip(faces, chosen, strict=True)
        ]

    def _scope(self, keys: NDArray[np.int64] | None, size: int, nobody: str) -> Scope:
        calibration, at = self.calibration, self.at
        base, rate, notes = None, None, [f"{nobody}: every face is nobody"]
        thresholds: dict[int, float] = {}
        if size:
            low, high = self._reach
            base, rate = calibration.search_threshold(at, size=size), calibration.search_rate(at, size=size)
            thresholds = {one: calibration.search_threshold(at, size=size, samples=one) for one in LEVELS}
            beyond = (
                f"{size:,} people are searched; at {at} the threshold was measured in galleries of {low} to {high:,} "
                "people and carried on from there"
            )
            lines = [] if calibration.calibrated_for(1, 2) else [_NO_LINES]
            notes = [*([beyond] if size > high else []), *lines, calibration.caution]
        terms = SearchTerms(
            at, size, base, calibration.population, calibration.name, self._uuid, fpir=rate, warnings=tuple(notes)
        )
        return Scope(keys, terms, thresholds)

    def _usable(self, found: Candidates) -> list[list[tuple[Person, float]]]:
        """The persons behind keys; those who must not be found, or are gone, left out."""
        able = self.gallery.people_of(np.unique(found.keys[found.keys >= 0]).tolist())
        return [
            [(able[key], value) for key, value in zip(keys, values, strict=True) if key in able and able[key].samples]
            for keys, values in zip(found.keys.tolist(), found.similarity.tolist(), strict=True)
        ]

    def _candidate(self, person: Person, similarity: float, scope: Scope) -> PersonCandidate:
        return PersonCandidate(
            person=person.person,
            name=person.name,
            similarity=similarity,
            threshold=scope.thresholds[level(person.samples)],
            llr=self.calibration.log10_lr(similarity, left=1, right=person.samples),
            samples=person.samples,
        )
