"""Enrolment: pictures of people into a gallery, on all cores, resumable after a kill."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from visavis.errors import UsageError
from visavis.io._unreadable import printable
from visavis.io.fingerprints import hashed, source_states
from visavis.jobs.chunk import ChunkResult, Progress, RowFailure, in_rows
from visavis.jobs.ledger import JobLedger
from visavis.jobs.resumable import resumable
from visavis.jobs.threads import ThreadEngine
from visavis.pipeline.face_samples import FaceSample, PersonPicture, face_samples
from visavis.pipeline.inputs import digest_of
from visavis.pipeline.person_details import PeopleWriter, PersonDetails
from visavis.pipeline.pipeline import Pipeline

if TYPE_CHECKING:
    from visavis.gallery.gallery import Gallery

CHUNK = 16
"""Pictures of a chunk, and of a write: what a kill makes each worker do again, at most."""
_VERSION = 3


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What became of pictures of people.

    Attributes:
        pictures: The pictures that were given.
        enrolled: Places in ``pictures`` of those whose face was added.
        already: Places of those that were in the gallery before.
        failures: Those that gave no sample, in order; ``key`` is the place.
        several: By place, how many faces a picture shows of which one was enrolled.
        unfit: By place, why the quality policy refuses a face that was enrolled all the same.
    """

    pictures: tuple[PersonPicture, ...]
    enrolled: tuple[int, ...]
    already: tuple[int, ...]
    failures: tuple[RowFailure, ...]
    several: dict[int, int] = field(hash=False)
    unfit: dict[int, str] = field(hash=False, default_factory=dict)

    @property
    def people(self) -> tuple[str, ...]:
        """Ids of those of whom a picture is in the gallery, in order."""
        return tuple(dict.fromkeys(self.pictures[place].person for place in sorted((*self.enrolled, *self.already))))

    @property
    def missing(self) -> tuple[str, ...]:
        """Ids of those of whom no picture could be used, in order."""
        there = set(self.people)
        return tuple(one for one in dict.fromkeys(item.person for item in self.pictures) if one not in there)

    def notes(self) -> list[str]:
        """In plain words: people of whom no picture could be used, pictures of several faces, and poor ones."""
        given = Counter(item.person for item in self.pictures)
        missing = [
            f"nothing of {printable(person)} could be used: {given[person]} picture(s) failed"
            for person in self.missing
        ]
        several = [
            f"{self._name(place)} shows {count} faces; the most central large one was taken"
            for place, count in sorted(self.several.items())
        ]
        return [*missing, *several] + [
            f"{self._name(place)} was taken although the quality policy refuses it: {why}"
            for place, why in sorted(self.unfit.items())
        ]

    def _name(self, place: int) -> str:
        return printable(self.pictures[place].source.name)


def enrol(
    pipeline: Pipeline,
    gallery: Gallery,
    pictures: Iterable[PersonPicture],
    *,
    details: dict[str, PersonDetails] | None = None,
    basis: str | None = None,
    expires: datetime | None = None,
    keep_unfit: bool = False,
    job: str | None = None,
    progress: Progress | None = None,
) -> Enrolment:
    """Add the most central large face of each picture to its person, making people who are not there.

    A picture that is in the gallery under the same person, by its sha256, is left alone. Killed at any moment, the next
    call with the same arguments goes on; what a chunk has added is on the disk before the chunk counts, and adding it
    again changes nothing. The ledger of the job lies in ``NAME.jobs`` beside the gallery, and is removed at the end.
    Pictures that changed, other options, or a gallery of which an older copy was put back, begin again, and find what
    is there already.

    Args:
        pipeline: From pictures to templates, of the gallery's space.
        gallery: Where they go.
        pictures: One or more.
        details: Name and metadata by id.
        basis: Basis of everybody's consent.
        expires: From when nobody of them is to be found any more, with a time zone.
        keep_unfit: Take faces that the quality policy of the pipeline refuses too, and note them, as a policy that
            warns does; else they are failed rows ``quality``.
        job: Tells this job from others on the gallery, for example the path of a folder; the names of the pictures
            when None. A job of the same name with other pictures takes the place of an unfinished one.
        progress: Called with the number of pictures done and of all.

    Raises:
        SpaceError: The gallery is of another space.
        InputError: ``jobs.locked``: another process enrols these pictures into this gallery; or an error of the gallery
            or the ledger.
        UsageError: There is no picture, or the gallery's folder cannot be written.
        KeyboardInterrupt: Ctrl-C; call it again to go on.
    """
    given = tuple(pictures)
    if not given:
        raise UsageError("there is no picture to enrol")
    info, total = gallery.info, len(given)
    info.space.require_same(pipeline.space)
    warned = keep_unfit or pipeline.quality_policy.enrol == "warn"
    writer = PeopleWriter(gallery, details=details, basis=basis, expires=expires)
    work = _Enrolling(pipeline, gallery, given, writer, warned, info.keep_crops)
    told = json.dumps([{person: asdict(one) for person, one in (details or {}).items()}, basis, str(expires)])
    jobs = gallery.path.with_name(f"{gallery.path.name}.jobs")
    place = jobs / hashed([job] if job is not None else (item.source.name for item in given))[:16]
    running = partial(resumable, place, kind="enrol", fingerprint=work.fingerprint(told), chunks=-(-total // CHUNK))
    advance = in_rows(progress, chunk=CHUNK, rows=total)
    try:
        made = _done(running, work, advance)
    except _PutBack:
        made = _done(running, work, advance)
    with suppress(OSError):  # another job may lie there
        jobs.rmdir()
    return made


class _PutBack(Exception):
    """An older copy of the gallery was put back: what the job has done is not in it."""


def _done(
    running: Callable[..., AbstractContextManager[JobLedger]], work: _Enrolling, progress: Progress | None
) -> Enrolment:
    with running(gone_with=(_PutBack,)) as ledger:
        if not all(work.gallery.has_write(write) for write in {result["write"] for _, result in ledger.results()}):
            raise _PutBack
        ThreadEngine(workers=work.pipeline.engine.workers).run(ledger, work.chunk, progress=progress)
        return _read(ledger, work.pictures)


@dataclass(frozen=True, slots=True)
class _Enrolling:
    pipeline: Pipeline
    gallery: Gallery
    pictures: tuple[PersonPicture, ...]
    people: PeopleWriter
    keep_unfit: bool
    keep_crops: bool

    def chunk(self, number: int) -> ChunkResult:
        """Add what is not there of the pictures of a chunk."""
        first = number * CHUNK
        places = range(first, min(first + CHUNK, len(self.pictures)))
        closed = self.people.refusals(self.pictures[place].person for place in places)
        refused = {place: closed[who] for place in places if (who := self.pictures[place].person) in closed}
        already = self._already([place for place in places if place not in refused])
        left = [place for place in places if place not in refused and place not in already]
        found = face_samples(
            self.pipeline,
            [self.pictures[place] for place in left],
            keep_crops=self.keep_crops,
            keep_unfit=self.keep_unfit,
        )
        faces: dict[int, FaceSample] = dict(zip(left, found, strict=True))
        samples = {place: one.sample for place, one in faces.items() if one.sample is not None}
        shown = {place: self.pictures[place].person for place in sorted((*samples, *already))}
        with self.gallery.transaction() if samples else nullcontext():
            closed = self.people.write(dict.fromkeys(shown.values()))  # a consent may be taken back since this began
            late = {place: closed[person] for place, person in shown.items() if person in closed}
            samples = {place: sample for place, sample in samples.items() if place not in late}
            added = self.gallery.add_samples(list(samples.values()))
        already -= late.keys()
        enrolled = [place for place, sample in zip(samples, added, strict=True) if sample is not None]
        refused |= late | {place: one.failure for place, one in faces.items() if one.failure is not None}
        return ChunkResult(
            {
                "write": self.gallery.last_write(),
                "enrolled": enrolled,
                "already": sorted({*already, *samples} - {*enrolled}),
                "several": [(place, one.faces) for place, one in faces.items() if one.sample and one.faces > 1],
                "unfit": [(place, "; ".join(faces[place].unfit)) for place in enrolled if faces[place].unfit],
            },
            tuple(RowFailure(str(place), why.reason, why.message) for place, why in sorted(refused.items())),
        )

    def _already(self, places: Sequence[int]) -> set[int]:
        """Those whose picture is in the gallery under the same person."""
        digests = {place: digest_of(self.pictures[place].source) for place in places}
        pairs = {place: (self.pictures[place].person, digest) for place, digest in digests.items() if digest}
        known = self.gallery.known(pairs.values()) if pairs else set()
        return {place for place, pair in pairs.items() if pair in known}

    def fingerprint(self, told: str) -> str:
        """Of all that decides the outcome."""
        record: dict[str, Any] = {
            "version": _VERSION,
            "chunk": CHUNK,
            "gallery": self.gallery.uuid,
            "space": self.pipeline.space.fingerprint,
            "made_by": self.pipeline.made_by.to_dict(),
            "minimum_size": getattr(self.pipeline.detector, "minimum_size", None),
            "keep_unfit": self.keep_unfit,
            "quality_policy": self.pipeline.quality_policy.to_dict(),
            "told": told,
        }
        people = [item.person for item in self.pictures]
        states = source_states(item.source for item in self.pictures)
        return hashed([json.dumps(record, sort_keys=True), *people, *states])


def _read(ledger: JobLedger, pictures: tuple[PersonPicture, ...]) -> Enrolment:
    results = [result for _, result in ledger.results()]
    return Enrolment(
        pictures,
        tuple(place for result in results for place in result["enrolled"]),
        tuple(place for result in results for place in result["already"]),
        tuple(ledger.failures()),
        {place: count for result in results for place, count in result["several"]},
        {place: why for result in results for place, why in result["unfit"]},
    )
