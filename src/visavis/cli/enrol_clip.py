"""visavis enrol on a clip: one person out of it."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from visavis.cli.clip_output import print_facts, told_track, watch_with
from visavis.cli.output import console, print_json, progress, shown
from visavis.errors import UsageError

if TYPE_CHECKING:
    from visavis.gallery.gallery import Gallery
    from visavis.io.clip import Clip
    from visavis.pipeline.person_details import PersonDetails
    from visavis.pipeline.pipeline import Pipeline


def clip_person(person: str | None, level: str) -> str:
    """The checked id of the person whom a clip shows.

    Raises:
        UsageError: There is none, or an option about folders of people.
        InputError: No gallery takes it.
    """
    from visavis.gallery.accepted import check_id, one_form

    if person is None:
        raise UsageError("a clip has no folder to name the person; give --person ID")
    if level != "last":
        raise UsageError("--level is about folders of people; leave it out with a clip")
    return check_id(one_form(person))


def enrol_clip(
    clip: Clip,
    pipeline: Pipeline,
    gallery: Gallery,
    *,
    person: str,
    track: int | None,
    details: PersonDetails | None,
    basis: str | None,
    expires: datetime | None,
    keep_unfit: bool,
    as_json: bool,
) -> None:
    """Put the person of a track into a gallery.

    Args:
        clip: What to look at.
        pipeline: From frames to templates.
        gallery: Where the person goes.
        person: Id.
        track: Number of the track; None where there is one.
        details: Name and metadata.
        basis: Basis of the consent.
        expires: From when the person is not to be found any more.
        keep_unfit: Take a track that the quality policy refuses.
        as_json: One JSON document in place of lines.
    """
    from visavis.pipeline.clip_enrolment import chosen_track, enrol_track
    from visavis.pipeline.tracking.track_clip import track_clip, usable_calibration

    begin = time.perf_counter()
    with progress("watching") as advance:
        found = track_clip(
            pipeline,
            clip,
            calibration=usable_calibration(pipeline.calibration),
            workers=pipeline.engine.workers,
            watch=watch_with(advance),
        )
    chosen = chosen_track(found, track)
    made = enrol_track(
        pipeline,
        gallery,
        chosen,
        clip=clip.name,
        person=person,
        details=details,
        basis=basis,
        expires=expires,
        keep_unfit=keep_unfit,
    )
    document: dict[str, Any] = {
        **found.facts.to_dict(),
        "person": person,
        "track": chosen.to_dict(),
        "tracks": len(found.tracks),
        "enrolled": [round(value, 3) for value in made.enrolled],
        "already": [round(value, 3) for value in made.already],
        "quality_policy": pipeline.quality_policy.to_dict(),
        "gallery": str(gallery.path),
        "space": pipeline.space.fingerprint,
        "seconds_in_all": round(time.perf_counter() - begin, 3),
    }
    document["notes"] = [*document["notes"], *made.notes]
    if as_json:
        print_json(document)
        return
    already = f", {len(made.already)} were there" if made.already else ""
    console().print(
        f"{len(made.enrolled)} frame(s) of {shown(clip.name)} enrolled{already}: {shown(person)} in "
        f"{shown(str(gallery.path))}, space {pipeline.space.fingerprint}; {told_track(chosen)}",
        soft_wrap=True,
    )
    print_facts(found.facts, loose=len(found.loose))
    for note in made.notes:
        console().print(f"note  {shown(note)}", soft_wrap=True)
