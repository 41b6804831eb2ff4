"""A person out of a clip into a gallery."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from visavis.errors import InputError, NoFaceError
from visavis.gallery.sample import NewSample
from visavis.io._unreadable import printable
from visavis.pipeline.person_details import PeopleWriter, PersonDetails
from visavis.pipeline.pipeline import Pipeline
from visavis.types.clip_tracks import ClipTracks
from visavis.types.track import Track

if TYPE_CHECKING:
    from visavis.gallery.gallery import Gallery


@dataclass(frozen=True, slots=True)
class ClipEnrolment:
    """What became of a track.

    Attributes:
        person: Id of the person.
        track: Number of the track.
        enrolled: Seconds of the frames that were added.
        already: Seconds of those that were in the gallery before.
        notes: What the reader must know.
    """

    person: str
    track: int
    enrolled: tuple[float, ...]
    already: tuple[float, ...]
    notes: tuple[str, ...] = ()


def chosen_track(found: ClipTracks, number: int | None = None) -> Track:
    """The track that is meant: the one of that number, or the only one.

    Raises:
        InputError: ``clip.tracks``: there is none of that number, or there are several.
        NoFaceError: There is none at all.
    """
    name = printable(found.facts.name)
    if not found.tracks:
        raise NoFaceError(f"{name}: no face is seen long enough to be followed; give a clip that shows the person")
    told = "; ".join(f"{one.number} ({one.spans[0][0]:.1f} to {one.spans[-1][1]:.1f} s)" for one in found.tracks[:10])
    if number is None:
        if len(found.tracks) > 1:
            raise InputError(
                f"{name} shows {len(found.tracks)} people: tracks {told}; say which one it is: --track N",
                reason="clip.tracks",
            )
        return found.tracks[0]
    for one in found.tracks:
        if one.number == number:
            return one
    raise InputError(f"{name} has no track {number}; it has {told}", reason="clip.tracks")


def enrol_track(
    pipeline: Pipeline,
    gallery: Gallery,
    track: Track,
    *,
    clip: str,
    person: str,
    details: PersonDetails | None = None,
    basis: str | None = None,
    expires: datetime | None = None,
    keep_unfit: bool = False,
) -> ClipEnrolment:
    """Add the best frames of a track to a person, a sample a frame, in one write; making the person if need be.

    The gallery pools them by quality as it does other pictures, so its template is that of the track. A frame that is
    there already, by the sha256 of the aligned face's pixels, is left alone.

    Args:
        pipeline: That made the track, of the gallery's space.
        gallery: Where they go.
        track: With templates.
        clip: Name of the clip; the source of a sample is ``CLIP#t=SECONDS``.
        person: Id of the person.
        details: Name and metadata.
        basis: Basis of the person's consent.
        expires: From when the person is not to be found any more, with a time zone.
        keep_unfit: Take frames that the quality policy refuses, too, where all are such.

    Raises:
        InputError: ``quality``: the policy refuses every frame; ``gallery.consent`` and other errors of the gallery.
        SpaceError: The gallery is of another space.
    """
    info = gallery.info
    info.space.require_same(pipeline.space)
    notes = _allowed(pipeline, track, clip, keep_unfit=keep_unfit)
    samples = _samples(track, clip, person, pipeline.space.crop, keep_crops=info.keep_crops)
    people = None if details is None else {person: details}
    writer = PeopleWriter(gallery, details=people, basis=basis, expires=expires)
    with gallery.transaction():
        refused = writer.write([person])
        if person in refused:
            raise InputError(refused[person].message, reason=refused[person].reason)
        added = gallery.add_samples(samples)
    times = [frame.time for frame in track.best]
    return ClipEnrolment(
        person,
        track.number,
        tuple(sorted(time for time, number in zip(times, added, strict=True) if number is not None)),
        tuple(sorted(time for time, number in zip(times, added, strict=True) if number is None)),
        notes,
    )


def _allowed(pipeline: Pipeline, track: Track, clip: str, *, keep_unfit: bool) -> tuple[str, ...]:
    """What to note of a track that the quality policy refuses, where that only warns."""
    unfit = track.best[0].unfit
    if not unfit:
        return ()
    why = "; and because ".join(unfit)
    if not keep_unfit and pipeline.quality_policy.enrol != "warn":
        raise InputError(
            f"{printable(clip)}: no frame of track {track.number} is good enough; take a better clip, because {why}",
            reason="quality",
        )
    return (f"track {track.number} was taken although the quality policy refuses its best frame: {why}",)


def _samples(track: Track, clip: str, person: str, crop: str, *, keep_crops: bool) -> list[NewSample]:
    assert track.templates is not None, "a pipeline makes templates"
    return [
        NewSample(
            person=person,
            source=f"{clip}#t={frame.time:.3f}",
            sha256=hashlib.sha256(frame.crop.tobytes()).hexdigest(),
            box=frame.box,
            score=frame.score,
            quality=frame.quality,
            norm=float(track.templates.norms[row]),
            vector=track.templates.vectors[row],
            crop=frame.crop if keep_crops else None,
            crop_template=crop,
        )
        for row, frame in enumerate(track.best)
    ]
