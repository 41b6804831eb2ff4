"""visavis enrol: people into a gallery."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.cli import clip_options, options
from visavis.cli.enrol_clip import clip_person, enrol_clip
from visavis.cli.gallery_values import moment
from visavis.cli.output import console, print_json, progress, shown
from visavis.errors import InputError, ModelError, UsageError

if TYPE_CHECKING:
    from visavis.data.readers.people_folder import PeopleFolder
    from visavis.gallery.gallery import Gallery
    from visavis.pipeline.enrolment import Enrolment
    from visavis.pipeline.pipeline import Pipeline

_SHOWN = 20


def enrol(
    gallery: Annotated[Path, typer.Option("--gallery", help="The gallery; made when it is not there.")],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DIR...",
            help="Folders or tar archives of one folder a person; pictures, or one video file, with --person.",
        ),
    ] = None,
    person: Annotated[
        str | None, typer.Option("--person", help="Id of the one person whom all the pictures, or the clip, show.")
    ] = None,
    level: Annotated[
        str, typer.Option("--level", help="The folder that names the person: last (innermost) or first (outermost).")
    ] = "last",
    names: Annotated[
        Path | None, typer.Option("--names", help="CSV with the columns person, name, and any others as metadata.")
    ] = None,
    consent: Annotated[
        str | None, typer.Option("--consent", help="Basis on which these people agreed, for example a form's number.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", help="Date from which they are not to be found, for example 2030-12-31.")
    ] = None,
    keep_unfit: Annotated[
        bool, typer.Option("--keep-unfit", help="Take faces that the quality policy refuses too, and note them.")
    ] = False,
    storage: Annotated[
        str | None, typer.Option("--storage", help="Of a gallery that is made: float32 (default) or int8.")
    ] = None,
    crops: Annotated[
        bool | None,
        typer.Option("--crops/--no-crops", help="Of a gallery that is made: keep aligned crops (default) or not."),
    ] = None,
    minimum_size: options.MinimumSize = 0.0,
    calibration: options.Calibration = None,
    model: options.Model = options.DEFAULT_MODEL,
    detector: options.Detector = None,
    engine: options.Engine = None,
    precision: options.Precision = None,
    device: options.Device = None,
    threads: options.Threads = None,
    flip: options.Flip = False,
    policy: options.Policy = None,
    quality_policy: options.QualityPolicy = "default",
    frames: clip_options.Frames = None,
    fps: clip_options.Fps = None,
    start: clip_options.Start = None,
    end: clip_options.End = None,
    every: clip_options.Every = None,
    rate: clip_options.Rate = None,
    track: Annotated[
        int | None, typer.Option("--track", help="Of a clip that shows several people: number of the track.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Put people into a gallery: a folder a person, whose name is the person's id.

    Of each picture the most central large face counts; one that the quality policy refuses is not taken. Pictures that
    are in the gallery already are skipped; a run that was stopped or killed goes on where it was when it is started
    again. What could not be used is listed at the end, and pictures that may show somebody else. Of a clip the best
    frames of one track are taken.

    Examples: visavis enrol people/ --gallery staff.gallery; visavis enrol a.jpg --person ann --gallery staff.gallery
    """
    from visavis.pipeline.enrolment import enrol as enrol_pictures

    begin = time.perf_counter()
    until = _moment(expires)
    given = inputs or []
    clip = clip_options.asked_clip(given, frames=frames, fps=fps, start=start, end=end, every=every, rate=rate)
    if clip is None and track is not None:
        raise UsageError("--track chooses among the people of a clip; give one video file, or --frames FOLDER")
    found = _pictures(given if clip is None else [], person, level)
    people = {item.person for item in found.pictures} if clip is None else {clip_person(person, level)}
    details = {} if names is None else _details(names, people)
    pipeline = options.build_pipeline(
        model=model,
        detector=detector,
        engine=engine,
        precision=precision,
        device=device,
        threads=threads,
        flip=flip,
        policy=policy,
        minimum_size=minimum_size,
        calibration=calibration,
        quality_policy=quality_policy,
    )
    book = _gallery(gallery, pipeline, storage, crops)
    if clip is not None:
        (who,) = people
        with closing(book):
            enrol_clip(
                clip,
                pipeline,
                book,
                person=who,
                track=track,
                details=details.get(who),
                basis=consent,
                expires=until,
                keep_unfit=keep_unfit,
                as_json=as_json,
            )
        return
    with progress("enrolling") as advance:
        made = enrol_pictures(
            pipeline,
            book,
            found.pictures,
            details=details,
            basis=consent,
            expires=until,
            keep_unfit=keep_unfit,
            job="\n".join([*(str(Path(path).absolute()) for path in given), person or ""]),
            progress=advance,
        )
    failed = _failed(made, found)
    _require_some(made, failed)
    notes = [*_odd(pipeline, book, made), *found.notes, *made.notes()]
    seconds = time.perf_counter() - begin
    document = {
        "people": len(made.people),
        "pictures": len(failed) + len(made.enrolled) + len(made.already),
        "enrolled": len(made.enrolled),
        "already": len(made.already),
        "failed": failed,
        "quality_policy": pipeline.quality_policy.to_dict(),
        "notes": notes,
        "gallery": str(gallery),
        "space": pipeline.space.fingerprint,
        "seconds": round(seconds, 3),
        "pictures_per_second": round(len(made.pictures) / seconds, 1),
    }
    book.close()
    print_json(document) if as_json else _print(document)


def _pictures(inputs: list[str], person: str | None, level: str) -> PeopleFolder:
    from visavis.data.readers.people_folder import PeopleFolder, read_people
    from visavis.gallery.accepted import check_id, one_form
    from visavis.pipeline.face_samples import PersonPicture

    if person is not None:
        if level != "last":
            raise UsageError("--level is about folders of people; leave it out with --person")
        who = check_id(one_form(person))
        return PeopleFolder(tuple(PersonPicture(who, source) for source in options.sources(inputs)), (), ())
    parts = [read_people(path, level=level) for path in inputs]
    return PeopleFolder(
        tuple(item for part in parts for item in part.pictures),
        tuple(item for part in parts for item in part.strays),
        (*_shared(inputs, parts), *(note for part in parts for note in part.notes)),
    )


def _shared(inputs: list[str], parts: list[PeopleFolder]) -> list[str]:
    """People of whom several inputs have a folder, who become one."""
    places: dict[str, list[str]] = {}
    for path, part in zip(inputs, parts, strict=True):
        for person in dict.fromkeys(item.person for item in part.pictures):
            places.setdefault(person, []).append(path)
    return [f"{who} is in {' and in '.join(where)}: one person" for who, where in places.items() if len(where) > 1]


def _details(path: Path, people: set[str]) -> dict[str, Any]:
    """Names and metadata of the people who are enrolled."""
    from visavis.cli.people_table import read_people_table

    given = read_people_table(path)
    if not people & given.keys():
        raise InputError(
            f"{path} names none of the people of these pictures; its column person holds the names of their folders",
            reason="names",
        )
    return {person: details for person, details in given.items() if person in people}


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    end = moment(text, option="--expires")
    if end <= datetime.now(UTC):
        raise UsageError(f"--expires {text} is over: nobody would be found; give a date to come")
    return end


def _gallery(path: Path, pipeline: Pipeline, storage: str | None, crops: bool | None) -> Gallery:
    from visavis.gallery.gallery import Gallery

    if not path.exists():
        try:
            return Gallery.create(
                path,
                space=pipeline.space,
                made_by=pipeline.made_by,
                storage=storage or "float32",  # type: ignore[arg-type]
                keep_crops=crops is not False,
            )
        except InputError as error:
            if error.reason != "gallery.exists":  # else another process made it this moment
                raise
    opened = Gallery.open(path, space=pipeline.space)
    info = opened.info
    if storage not in (None, info.storage):
        raise UsageError(f"{path} keeps templates as {info.storage}; leave --storage out, or name a new gallery")
    if crops not in (None, info.keep_crops):
        kept = "keeps crops" if info.keep_crops else "keeps no crops"
        raise UsageError(f"{path} {kept}; leave --crops and --no-crops out, or name a new gallery")
    return opened


def _failed(made: Enrolment, found: PeopleFolder) -> list[dict[str, str]]:
    rows = [
        {"image": made.pictures[int(row.key)].source.name, "reason": row.reason, "message": row.message}
        for row in made.failures
    ]
    text = "the picture lies in no person's folder; move it into one"
    return rows + [{"image": source.name, "reason": "no-person", "message": text} for source in found.strays]


def _require_some(made: Enrolment, failed: list[dict[str, str]]) -> None:
    """Raise when nothing could be used.

    Raises:
        InputError: With the first reason.
    """
    if made.enrolled or made.already:
        return
    first = failed[0]
    more = f" (and {len(failed) - 1} more that cannot be used)" if len(failed) > 1 else ""
    raise InputError(f"nobody was enrolled: {shown(first['image'])}: {first['message']}{more}", reason=first["reason"])


def _odd(pipeline: Pipeline, gallery: Gallery, made: Enrolment) -> list[str]:
    from visavis.pipeline.odd_samples import odd_samples

    rows = Counter(made.pictures[place].person for place in (*made.enrolled, *made.already))
    more = gallery.info.samples > rows.total()  # else somebody of one picture has no other sample
    added = dict.fromkeys(made.pictures[place].person for place in sorted(made.enrolled))
    changed = [person for person in added if more or rows[person] > 1]
    try:
        return odd_samples(gallery, changed, pipeline.calibration())
    except ModelError as error:
        return [f"whether pictures show somebody else was not looked at: {error.message}"]


def _print(document: dict[str, Any]) -> None:
    screen = console()
    already = f", {document['already']} were there" if document["already"] else ""
    screen.print(
        f"{document['enrolled']} of {document['pictures']} pictures enrolled{already}: {document['people']} people in "
        f"{shown(document['gallery'])}, space {document['space']}"
    )
    for row in document["failed"]:
        why = f": {shown(row['message'])}" if row["reason"] == "quality" else ""
        screen.print(f"failed  {shown(row['image'])}  {row['reason']}{why}")
    for note in document["notes"][:_SHOWN]:
        screen.print(f"note    {shown(note)}")
    if len(document["notes"]) > _SHOWN:
        screen.print(f"note    ... and {len(document['notes']) - _SHOWN} more; --json lists all")
