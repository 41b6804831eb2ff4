"""Identification: who, of a gallery, is in a picture?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from visavis.errors import UsageError
from visavis.types.operating_point import FPIR
from visavis.types.provenance import Provenance
from visavis.types.rate_interval import SearchRate
from visavis.types.status import Failure

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class PersonCandidate:
    """Somebody whom a face may show.

    Attributes:
        person: Id in the gallery.
        name: For people to read; None where none was given.
        similarity: Cosine of the face and the person's template, -1..1.
        threshold: Least similarity at which this person is returned: it rises with the gallery's size and with the
            number of samples.
        llr: log10 of the likelihood ratio of the similarity, as of a comparison with this person alone; None where the
            calibration has none.
        samples: Samples that the person's template was made of.
    """

    person: str
    name: str | None
    similarity: float
    threshold: float
    llr: float | None
    samples: int

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "person": self.person,
            "name": self.name,
            "similarity": self.similarity,
            "threshold": self.threshold,
            "llr": self.llr,
            "samples": self.samples,
        }


@dataclass(frozen=True, slots=True)
class IdentifiedFace:
    """One face of a picture, and who it shows.

    Attributes:
        box: x0, y0, x1, y1 in pixels of the picture after EXIF orientation; None where the face failed without one.
        score: Of the detector, 0..1; None as ``box``.
        person: Id in the gallery; None for nobody.
        name: Of that person.
        candidates: The closest persons, best first; whom the face shows, or who is taken, stands after them where it
            is none of them. Empty for a failed face.
        why: Why it is nobody: ``empty-gallery``, ``below-threshold``, or ``taken``: every candidate above the
            threshold is another face of the picture; or ``inconclusive``: the quality policy refuses the face. Empty
            where somebody was found or the face failed.
        quality: Fused quality 0..100; None where it was not assessed.
        unfit: Why the quality policy refuses the face; empty where it does not.
        failure: Why the face gave no template; None where it did.
    """

    box: Box | None
    score: float | None
    person: str | None
    name: str | None
    candidates: tuple[PersonCandidate, ...] = ()
    why: str = ""
    quality: float | None = None
    unfit: tuple[str, ...] = ()
    failure: Failure | None = None

    def __post_init__(self) -> None:
        if self.person is not None and (self.why or self.failure is not None):
            raise UsageError("a face that shows somebody has no reason to show nobody, and did not fail")
        if self.box is not None and not _is_box(self.box):
            raise UsageError(f"a box is finite x0, y0, x1, y1 with x0 < x1 and y0 < y1; got {self.box}")

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        record: dict[str, Any] = {
            "box": None if self.box is None else list(self.box),
            "score": self.score,
            "person": self.person,
            "name": self.name,
            "candidates": [candidate.to_dict() for candidate in self.candidates],
            "why": self.why,
            "quality": self.quality,
            "unfit": list(self.unfit),
        }
        if self.failure is not None:
            record["failed"] = _failed(self.failure)
        return record


@dataclass(frozen=True, slots=True)
class SearchTerms:
    """What a search was done with; the same for all faces of a call.

    Attributes:
        at: The operating point that was asked for.
        people: People that were searched.
        threshold: For a candidate of one sample; None in an empty gallery.
        population: Whom the false positive identification rate was measured on; a rate is never printed without it.
        calibration: Name of the calibration.
        gallery: Identifier of the gallery.
        fpir: The rate at the threshold with its prediction interval, where one is known; None in an empty gallery.
        warnings: What the reader must know, for example that the gallery is larger than what was measured.
    """

    at: FPIR
    people: int
    threshold: float | None
    population: str
    calibration: str
    gallery: str
    fpir: SearchRate | None = None
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.population:
            raise UsageError("a search must name the population its false positive identification rate was measured on")

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "at": self.at.to_dict(),
            "people": self.people,
            "threshold": self.threshold,
            "fpir": None if self.fpir is None else self.fpir.to_dict(),
            "population": self.population,
            "calibration": self.calibration,
            "gallery": self.gallery,
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True)
class Identification:
    """The faces of one picture and whom they show. No person is two faces of one picture.

    Attributes:
        image: Path, member name or ``<array>``.
        faces: A row a face, in the order of the detector.
        search: The operating point, and the gallery.
        space: Fingerprint of the template space.
        made_by: Engine, precision and versions.
        quality_policy: Name of the quality policy; empty where none was asked.
        failure: Why the picture has no faces here: unreadable, or ``no-face``; None where it has.
    """

    image: str
    faces: tuple[IdentifiedFace, ...]
    search: SearchTerms
    space: str
    made_by: Provenance
    quality_policy: str = ""
    failure: Failure | None = field(default=None)

    def __post_init__(self) -> None:
        if self.failure is not None and self.faces:
            raise UsageError("a picture that failed has no faces")
        named = [face.person for face in self.faces if face.person is not None]
        if len(set(named)) != len(named):
            raise UsageError("one person cannot be two faces of one picture")

    @property
    def people(self) -> tuple[str, ...]:
        """Ids of the persons that were found, in the order of the faces."""
        return tuple(face.person for face in self.faces if face.person is not None)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary: an element of the list that ``visavis identify --json`` prints."""
        record: dict[str, Any] = {"image": self.image, "faces": [face.to_dict() for face in self.faces]}
        if self.failure is not None:
            record["failed"] = _failed(self.failure)
        return {
            **record,
            "search": self.search.to_dict(),
            "quality_policy": self.quality_policy,
            "space": self.space,
            "made_by": self.made_by.to_dict(),
        }


def _is_box(box: Box) -> bool:
    x0, y0, x1, y1 = box
    return all(math.isfinite(value) for value in box) and x0 < x1 and y0 < y1


def _failed(failure: Failure) -> dict[str, str]:
    return {"reason": failure.reason, "message": failure.message}
