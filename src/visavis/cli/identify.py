"""visavis identify: who, of a gallery, is in these pictures?"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.cli import clip_options, options
from visavis.cli.clip_output import check_timeline
from visavis.cli.gallery_values import entries
from visavis.cli.identify_clip import tell_clip
from visavis.cli.identify_pictures import PictureWriter, check_outputs, write_explanation
from visavis.cli.output import console, progress, shown
from visavis.errors import UsageError

if TYPE_CHECKING:
    from visavis.pipeline.identify import Identifier
    from visavis.types import FPIR, Identification, IdentifiedFace, SearchTerms

    _Tell = Callable[[Identification, dict[str, Any] | None], None]

_INDEXES = ("auto", "exact", "hnsw")


def identify(
    gallery: Annotated[Path, typer.Option("--gallery", help="The gallery that visavis enrol made.")],
    pictures: Annotated[
        list[str] | None,
        typer.Argument(help="Pictures, folders, globs, tar archives, or one video file.", metavar="PHOTO..."),
    ] = None,
    at: Annotated[
        str, typer.Option("--at", help="Operating point: fpir=RATE, of searches with a stranger's face.")
    ] = "fpir=1e-2",
    top: Annotated[int, typer.Option("--top", help="Candidates of each face that are told.")] = 5,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help="Search only people with this in their metadata: key=text or key:=JSON."),
    ] = None,
    which: Annotated[str, typer.Option("--which", help="all faces, or one a picture: largest or central.")] = "all",
    draw: Annotated[
        Path | None, typer.Option("--draw", help="Draw boxes and names: a picture, or a folder for several.")
    ] = None,
    explain: Annotated[
        Path | None, typer.Option("--explain", help="Draw what in a face and its candidate carried the similarity.")
    ] = None,
    person: Annotated[
        str | None, typer.Option("--person", help="The candidate to explain; else who was named.")
    ] = None,
    index: Annotated[str, typer.Option("--index", help="auto, exact or hnsw.")] = "auto",
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
    timeline: clip_options.Timeline = None,
    as_json: options.Json = False,
) -> None:
    """Find the faces of pictures, or of a clip, in a gallery; nobody is an answer.

    A face gets the person whose similarity passes the threshold by most, and no person is two faces of one picture. The
    threshold keeps to the false positive identification rate for a gallery of this size. A face that the quality policy
    refuses is inconclusive, with the reason and its closest person. A picture that cannot be read or shows no face is
    listed with its reason. In a clip faces are followed, and each is searched once, by its best frames.

    Examples: visavis identify party.jpg --gallery staff.gallery; visavis identify door.mp4 --gallery staff.gallery
    """
    from visavis.types import FPIR

    point, wanted = FPIR.parse(at), entries(where or [], option="--where")
    if top < 1:
        raise UsageError(f"--top is 1 or more; got {top}")
    if index not in _INDEXES:
        raise UsageError(f"--index is auto, exact or hnsw; got {index!r}")
    if person is not None and explain is None:
        raise UsageError("--person says whom --explain explains; give --explain FILE.png with it")
    chosen = options.selection(which)
    opened = partial(
        _opened,
        gallery,
        point,
        index,
        model=model,
        detector=detector,
        engine=engine,
        precision=precision,
        device=device,
        threads=threads,
        flip=flip,
        policy=policy,
        quality_policy=quality_policy,
        minimum_size=minimum_size,
        calibration=calibration,
    )
    given = pictures or []
    clip = clip_options.asked_clip(
        given, frames=frames, fps=fps, start=start, end=end, every=every, rate=rate, timeline=timeline
    )
    if clip is not None:
        clip_options.refuse_with_clip(draw=draw, explain=explain)
        check_timeline(timeline, clip.path)
        with opened() as identifier:
            tell_clip(clip, identifier, top=top, where=wanted, which=chosen, timeline=timeline, as_json=as_json)
        return
    found = options.sources(given)
    check_outputs(draw, explain, found)
    with (
        opened() as identifier,
        progress("searching") as advance,
        _json_list() if as_json else _lines() as tell,
    ):
        drawn = PictureWriter(draw, many=len(found) > 1)
        seen = _Seen()
        answers = identifier.stream(found, k=top, where=wanted, which=chosen)
        for number, (source, answer) in enumerate(zip(found, answers, strict=True), 1):
            drawn.write(identifier, source, answer)
            seen.take(answer)
            explained = None
            if explain is not None and seen.readable:
                explained = write_explanation(explain, identifier, source, answer, person, where=wanted, which=chosen)
            tell(answer, explained)
            advance(number, len(found))
        seen.require_one_readable()


@contextmanager
def _opened(path: Path, at: FPIR, kind: Any, **pipeline: Any) -> Iterator[Identifier]:
    from visavis.gallery.gallery import Gallery
    from visavis.gallery.index.live_index import LiveIndex
    from visavis.pipeline.identify import Identifier

    gallery = Gallery.open(path)
    try:
        made = options.build_pipeline(**pipeline)
        index = LiveIndex(gallery, kind=kind)
        try:
            yield Identifier(made, gallery, index, at=at)
        finally:
            index.close()
    finally:
        gallery.close()


class _Seen:
    """Whether any picture could be read."""

    def __init__(self) -> None:
        self.readable = False
        self.reasons: list[str] = []
        self.messages: list[str] = []

    def take(self, answer: Identification) -> None:
        failure = answer.failure
        if self.readable or failure is None or not failure.reason.startswith("unreadable"):
            self.readable = True
            return
        self.reasons.append(failure.reason)
        self.messages.append(failure.message)

    def require_one_readable(self) -> None:
        from visavis.cli.detect import require_one_readable

        if not self.readable:
            require_one_readable(self.reasons, self.messages)


@contextmanager
def _json_list() -> Iterator[_Tell]:
    """One JSON list on stdout when all went well; until then it grows in a file, not in memory."""
    import shutil
    import tempfile

    with tempfile.SpooledTemporaryFile(max_size=1 << 24) as parked:
        count = 0

        def tell(answer: Identification, explained: dict[str, Any] | None) -> None:
            nonlocal count
            record = answer.to_dict() if explained is None else {**answer.to_dict(), "explanation": explained}
            text = json.dumps(record, ensure_ascii=False, allow_nan=False, indent=2)
            parked.write((",\n" if count else "[\n").encode() + text.encode("utf-8", "backslashreplace"))
            count += 1

        yield tell
        parked.write(b"\n]\n" if count else b"[]\n")
        parked.seek(0)
        shutil.copyfileobj(parked, sys.stdout.buffer)
        sys.stdout.buffer.flush()


@contextmanager
def _lines() -> Iterator[_Tell]:
    """A line a face, as the pictures are done; what was searched, at the end."""
    out = console()
    last: list[Identification] = []

    def tell(answer: Identification, explained: dict[str, Any] | None) -> None:
        last[:] = [answer]
        name = shown(answer.image)
        if answer.failure is not None:
            out.print(f"{name}  failed: {shown(answer.failure.message)}", soft_wrap=True)
        for face in answer.faces:
            out.print(f"{name}  {_line(face)}", soft_wrap=True)
        if explained is not None:
            out.print(f"explained  {shown(explained['person'])}: {explained['sentence']}", soft_wrap=True)

    yield tell
    for answer in last:
        print_terms(answer.search)


def print_terms(terms: SearchTerms) -> None:
    """What was searched, at which point, and what to know."""
    out = console()
    out.print(
        f"{terms.people} people searched at {terms.at}; rate measured on: {shown(terms.population)}", soft_wrap=True
    )
    for warning in terms.warnings:
        out.print(f"note  {shown(warning)}", soft_wrap=True)


def _line(face: IdentifiedFace) -> str:
    place = "no box" if face.box is None else " ".join(f"{value:.0f}" for value in face.box)
    if face.failure is not None:
        return f"[{place}]  failed: {shown(face.failure.message)}"
    told = "inconclusive" if face.why == "inconclusive" else "nobody"
    best = face.candidates[0] if face.candidates else None
    if face.why == "taken":
        best = next((one for one in face.candidates if one.similarity >= one.threshold), best)
    if face.person is not None:
        best = next(one for one in face.candidates if one.person == face.person)
        told = shown(face.person) + (f" ({shown(face.name)})" if face.name else "")
    if best is not None:
        sign = ">=" if best.similarity >= best.threshold else "<"
        closest = "" if best.person == face.person else f"closest {shown(best.person)} "
        told += f"  {closest}{best.similarity:.3f} {sign} {best.threshold:.3f}"
        told += "" if best.llr is None or face.unfit else f", llr {best.llr:+.1f}"
    told += "  (who is another face of this picture)" if face.why == "taken" else ""
    asked = f"  ask for a better picture, because {'; and because '.join(face.unfit)}" if face.unfit else ""
    return f"[{place}]  {told}{asked}"
