"""What visavis identify draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from visavis.cli.output import shown
from visavis.cli.tables import check_not_read, check_picture
from visavis.errors import InputError, UsageError

if TYPE_CHECKING:
    from visavis.io import Source
    from visavis.pipeline.identify import Identifier
    from visavis.selection import Select
    from visavis.types import Identification


def check_outputs(draw: Path | None, explain: Path | None, sources: Sequence[Source]) -> None:
    """Refuse pictures that could not be written, or only over others, before any work is done; make the folder.

    Raises:
        UsageError: A file for several pictures, a suffix that is none, no such folder or one that cannot be made, or a
            file that is read or written already.
    """
    from visavis.io.atomic import make_folder
    from visavis.io.encode import SUFFIXES

    if explain is not None and len(sources) != 1:
        raise UsageError(f"--explain takes one picture; got {len(sources)}")
    check_picture(explain)
    check_not_read(explain, sources)
    if draw is None:
        return
    if len(sources) != 1:
        if draw.suffix.lower() in SUFFIXES or draw.is_file():
            raise UsageError(f"--draw takes a folder for {len(sources)} pictures; got {draw}")
        make_folder(draw)
        for number, source in enumerate(sources, 1):
            check_not_read(draw / _drawn_name(number, source), sources)
        return
    check_picture(draw)
    check_not_read(draw, sources)
    if explain is not None and draw.resolve() == explain.resolve():
        raise UsageError(f"--draw and --explain write two pictures; both are {draw}")


def _drawn_name(number: int, source: Source) -> str:
    """The file of a picture in the folder."""
    return f"{number:05}-{PurePosixPath(source.name.replace(chr(92), '/')).stem[:100]}.png"


class PictureWriter:
    """Draws the people of each picture.

    Args:
        place: The file, or the folder for several pictures; None draws nothing.
        many: Whether there are several pictures.
    """

    def __init__(self, place: Path | None, *, many: bool) -> None:
        self.place = place
        self.many = many
        self._number = 0

    def write(self, identifier: Identifier, source: Source, answer: Identification) -> None:
        """Draw a picture; one that could not be read, not.

        Raises:
            UsageError: It cannot be written.
        """
        self._number += 1
        if self.place is None or (answer.failure is not None and answer.failure.reason.startswith("unreadable")):
            return
        from visavis.drawing import draw_people
        from visavis.io import write

        picture = identifier.pipeline.read([source]).items[0]
        if picture is None:
            return
        path = self.place / _drawn_name(self._number, source) if self.many else self.place
        write(path, draw_people(picture, answer))


def write_explanation(
    path: Path,
    identifier: Identifier,
    source: Source,
    answer: Identification,
    person: str | None,
    *,
    where: Mapping[str, Any],
    which: Select,
) -> dict[str, Any]:
    """Draw what in a face and a candidate carried their similarity.

    Args:
        path: The picture to write.
        identifier: What searched.
        source: The picture that was searched.
        answer: What was found in it.
        person: The candidate; None for who was named with the highest similarity, else the closest of all.
        where: The people who were searched.
        which: The faces that were searched.

    Returns:
        What was explained, for JSON.

    Raises:
        InputError: There is no face, or nobody in the gallery to compare it with.
    """
    from visavis.explain.sheet import explanation_sheet
    from visavis.io import write

    if answer.failure is not None:
        raise InputError(answer.failure.message, reason=answer.failure.reason)
    if person is None:
        face, whom = _pair(answer)
    else:
        face, whom = identifier.closest_face(source, person, where=where, which=which), person
    found = identifier.explain(source, whom, face=face, where=where, which=which)
    note = f"left face {face} of {shown(answer.image)}; {found.warnings[0]}"
    write(path, explanation_sheet(found.explanation, found.left.pixels[0], found.right.pixels[0], note=note))
    return {
        "face": face,
        "person": whom,
        "method": found.explanation.method,
        "similarity": found.explanation.similarity,
        "threshold": found.threshold,
        "sentence": found.explanation.sentence,
        "written": str(path),
        "warnings": list(found.warnings),
    }


def _pair(answer: Identification) -> tuple[int, str]:
    """Number of a face, and the person who was named or is closest."""
    every = [(number, one) for number, face in enumerate(answer.faces) for one in face.candidates]
    if not every:
        raise InputError("there is nobody in the gallery to compare a face with", reason="gallery.empty")
    named = [(number, one) for number, one in every if answer.faces[number].person == one.person]
    number, candidate = max(named or every, key=lambda one: one[1].similarity)
    return number, candidate.person
