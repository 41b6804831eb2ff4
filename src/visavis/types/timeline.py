"""Timeline: who, of a gallery, appears when in a clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from visavis.errors import UsageError
from visavis.types.clip_tracks import ClipFacts
from visavis.types.identification import PersonCandidate, SearchTerms
from visavis.types.provenance import Provenance
from visavis.types.track import Span, Track


@dataclass(frozen=True, slots=True, eq=False)
class IdentifiedTrack:
    """One track of a clip, and who it shows.

    Attributes:
        track: The track.
        person: Id in the gallery; None for nobody.
        name: Of that person.
        candidates: The closest persons, best first; whom the track shows stands after them where it is none of them.
        why: Why it is nobody: ``empty-gallery``, ``below-threshold``, ``inconclusive``: no frame is good enough, or
            ``taken``: every candidate above the threshold is another track of the same time; empty otherwise.
    """

    track: Track
    person: str | None
    name: str | None
    candidates: tuple[PersonCandidate, ...]
    why: str = ""

    def __post_init__(self) -> None:
        if (self.person is None) == (not self.why):
            raise UsageError("a track shows somebody, or has a reason to show nobody")

    @property
    def candidate(self) -> PersonCandidate | None:
        """Whom it shows, with the similarity; None for nobody."""
        return next((one for one in self.candidates if one.person == self.person), None)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            **self.track.to_dict(),
            "person": self.person,
            "name": self.name,
            "candidates": [candidate.to_dict() for candidate in self.candidates],
            "why": self.why,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Who appears when. No person is two tracks at one time.

    Attributes:
        facts: The clip, and the time it took.
        tracks: By first appearance.
        loose: Faces that were seen too few times to be a track.
        search: The operating point, and the gallery.
        space: Fingerprint of the template space.
        made_by: Engine, precision and versions.
        quality_policy: Name of the policy that says which frames are good enough.
    """

    facts: ClipFacts
    tracks: tuple[IdentifiedTrack, ...]
    loose: int
    search: SearchTerms
    space: str
    made_by: Provenance
    quality_policy: str

    def __post_init__(self) -> None:
        for number, one in enumerate(self.tracks):
            for other in self.tracks[:number]:
                if one.person is not None and one.person == other.person and one.track.overlaps(other.track):
                    raise UsageError(f"{one.person} cannot be two tracks at one time")

    @property
    def people(self) -> dict[str, tuple[Span, ...]]:
        """By id of the person, the stretches in which they are seen, in order."""
        found: dict[str, list[Span]] = {}
        for one in self.tracks:
            if one.person is not None:
                found.setdefault(one.person, []).extend(one.track.spans)
        return {person: tuple(sorted(spans)) for person, spans in found.items()}

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary: what ``visavis identify CLIP --json`` prints."""
        people = [
            {
                "person": person,
                "name": next(one.name for one in self.tracks if one.person == person),
                "spans": [[round(start, 3), round(end, 3)] for start, end in spans],
                "tracks": [one.track.number for one in self.tracks if one.person == person],
            }
            for person, spans in self.people.items()
        ]
        return {
            **self.facts.to_dict(),
            "people": people,
            "tracks": [one.to_dict() for one in self.tracks],
            "loose": self.loose,
            "search": self.search.to_dict(),
            "space": self.space,
            "made_by": self.made_by.to_dict(),
            "quality_policy": self.quality_policy,
        }
