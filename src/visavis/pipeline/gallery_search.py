"""Templates against a gallery: candidates with their thresholds, and whom to name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visavis.calibration.pooled import LEVELS, level
from visavis.calibration.table import Calibration
from visavis.errors import InputError
from visavis.pipeline.assignment import assign
from visavis.types import FPIR, Candidates, PersonCandidate, SearchTerms, Templates

if TYPE_CHECKING:
    from visavis.gallery.gallery import Gallery
    from visavis.gallery.index.live_index import LiveIndex
    from visavis.gallery.person import Person

_ROUNDING = 1e-6
"""So near below a threshold the evidence decides."""


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """Whom a search is among.

    Attributes:
        keys: int64 ``(N,)``: keys of these people; None for all.
        terms: Operating point, number of people, threshold, population.
        thresholds: By the level of the number of samples; see `visavis.calibration.pooled`.
        probe: Pictures that each template which is searched for was made of.
    """

    keys: NDArray[np.int64] | None
    terms: SearchTerms
    thresholds: Mapping[int, float]
    probe: int = 1


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
        calibration.searches().reach(at.rate)  # refuses a rate that was not measured
        self._uuid = gallery.info.uuid

    def scope(self, where: Mapping[str, Any] | None = None, *, probe: int = 1) -> Scope:
        """Whom a search is among at this moment, and at which thresholds.

        Args:
            where: Only people whose metadata have these values, as equal JSON. Without it, people whose time has ended
                count as people of the gallery until they are purged, which can only raise the threshold; they are
                never returned.
            probe: Pictures that each template which is searched for was made of; the thresholds are for so many.
        """
        if where:
            keys = self.gallery.keys(where=where)
            return self._scope(keys, len(keys), "nobody in the gallery has these metadata", probe)
        self.index.refresh()
        return self._scope(None, len(self.index), "the gallery is empty", probe)

    def candidates(
        self, templates: Templates, *, depth: int, scope: Scope, told: int | None = None
    ) -> list[list[PersonCandidate]]:
        """The closest persons of each template, most similar first; none for a failed one.

        Args:
            templates: Of the gallery's space.
            depth: How many are looked at, if so many may be found.
            scope: Whom to search.
            told: Beyond so many of a template only those who pass their threshold; all of ``depth`` when None.
        """
        most = scope.terms.people
        if not most or not templates.ok.any():
            return [[] for _ in range(len(templates))]
        wanted = asked = min(depth, most)
        while True:
            found = self.index.search(templates, k=asked, among=scope.keys)
            able = self._usable(found)
            there = np.isin(found.keys, np.fromiter(able, np.int64, len(able)))
            short = (there.sum(axis=1) < wanted) & (found.keys[:, -1] >= 0)
            if not short.any() or asked >= most:
                there &= there.cumsum(axis=1) <= wanted
                return self._told(found, there, able, scope, wanted if told is None else told)
            asked = min(4 * asked, most)  # some of those who were found may not be

    def require(self, person: str, where: Mapping[str, Any] | None = None) -> None:
        """Refuse somebody who must not be found at this moment, or is not among those who are searched.

        Raises:
            InputError: ``gallery.person``.
        """
        found = self.gallery.person(person)
        if not found.usable():
            raise InputError(
                f"{person} may not be found: the consent is withdrawn or the time has ended; visavis gallery purge "
                "erases such people",
                reason="gallery.person",
            )
        if where and found.key not in self.gallery.keys(where=where):
            raise InputError(
                f"{person} is not among the people who are searched: their metadata lack {dict(where)}",
                reason="gallery.person",
            )

    def evidence(self, candidate: PersonCandidate, scope: Scope) -> float:
        """By how much a candidate passes the threshold, as a similarity of single pictures: comparable between persons.

        The quantity is 0 at the threshold whatever the number of samples.
        """
        single = self.calibration.single(candidate.similarity, left=scope.probe, right=candidate.samples)
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

    def _scope(self, keys: NDArray[np.int64] | None, size: int, nobody: str, probe: int) -> Scope:
        calibration, at = self.calibration, self.at
        base, rate, notes = None, None, [f"{nobody}: every face is nobody"]
        thresholds: dict[int, float] = {}
        if size:
            base, rate = calibration.search_threshold(at, size=size), calibration.search_rate(at, size=size)
            thresholds = {one: calibration.search_threshold(at, size=size, samples=one, probe=probe) for one in LEVELS}
            beyond = calibration.beyond(at, size=size)
            notes = [*([beyond] if beyond else []), *self._about_samples(probe), *_above_one(thresholds)]
            notes.append(calibration.caution)
        terms = SearchTerms(
            at, size, base, calibration.population, calibration.name, self._uuid, fpir=rate, warnings=tuple(notes)
        )
        return Scope(keys, terms, thresholds, probe)

    def _about_samples(self, probe: int) -> list[str]:
        """What must be known where lines for several samples are missing."""
        if self.calibration.calibrated_for(probe, LEVELS[-1]):
            return []
        most = self.calibration.stand_in(probe, LEVELS[-1])[1]
        return [
            f"the calibration has no thresholds for people of more than {most} sample{'s' * (most > 1)}: those of "
            f"{most} are used, and name strangers oftener"
        ]

    def _usable(self, found: Candidates) -> dict[int, Person]:
        """The persons by key, rising; those who must not be found, or are gone, left out."""
        able = self.gallery.people_of(np.unique(found.keys[found.keys >= 0]).tolist())
        return {key: able[key] for key in sorted(able) if able[key].samples}

    def _told(
        self, found: Candidates, there: NDArray[np.bool_], able: Mapping[int, Person], scope: Scope, told: int
    ) -> list[list[PersonCandidate]]:
        """The first of each row, and those of the rest who pass; a crowd has too many others to make each of them."""
        keys = np.fromiter(able, np.int64, len(able))
        limits = np.array([scope.thresholds[level(one.samples)] for one in able.values()] or [np.inf])
        place = np.minimum(np.searchsorted(keys, found.keys), len(limits) - 1)
        near = found.similarity >= limits[place] - _ROUNDING
        shown = there & ((there.cumsum(axis=1) <= told) | near)
        return [
            [
                self._candidate(able[key], value, scope)
                for key, value in zip(row[mine].tolist(), values[mine].tolist(), strict=True)
            ]
            for row, values, mine in zip(found.keys, found.similarity, shown, strict=True)
        ]

    def _candidate(self, person: Person, similarity: float, scope: Scope) -> PersonCandidate:
        return PersonCandidate(
            person=person.person,
            name=person.name,
            similarity=similarity,
            threshold=scope.thresholds[level(person.samples)],
            llr=self.calibration.log10_lr(similarity, left=scope.probe, right=person.samples),
            samples=person.samples,
        )


def _above_one(thresholds: Mapping[int, float]) -> list[str]:
    """What must be known where no similarity can pass a threshold."""
    never = [number for number, value in thresholds.items() if value > 1]
    if not never:
        return []
    return [
        f"the threshold of people of {never[0]} or more samples is {thresholds[never[0]]:.3f}, above the highest "
        "similarity there is, 1: at this rate nobody of them is named in so large a gallery; ask for a higher rate"
    ]
