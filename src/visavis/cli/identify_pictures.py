"""What visavis identify draws."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from visavis.cli.output import shown
from visavis.cli.tables import check_picture
from visavis.errors import InputError, UsageError

if TYPE_CHECKING:
    from visavis.io import Source
    from visavis.pipeline.identify import Identifier
    from visavis.selection import Select
    from visavis.types import Identification, IdentifiedFace


def check_outputs(draw: Path | None, explain: Path | None, pictures: int) -> None:
    """Refuse pictures that could not be written, before any work is done.

    Raises:
        UsageError: A file for several pictures, a suffix that is none, or no such folder.
    """
    from visavis.io.encode import SUFFIXES

    if explain is not None and pictures != 1:
        raise UsageError(f"--explain takes one picture; got {pictures}")
    check_picture(explain)
    if draw is None:
        return
    if pictures == 1:
        check_picture(draw)
    elif draw.suffix.lower() in SUFFIXES or draw.is_file():
        raise UsageError(f"--draw takes a folder for {pictures} pictures; got {draw}")


class PictureWriter:
    """Draws the people of each picture.

    Args:
        place: The file, or the folder for several pictures, which is made; None draws nothing.
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
        path = self.place
        if self.many:
            path.mkdir(parents=True, exist_ok=True)
            stem = PurePosixPath(source.name.replace("\\", "/")).stem
            path = path / f"{self._number:05}-{stem[:100]}.png"
        write(path, draw_people(picture, answer))


def write_explanation(
    path: Path, identifier: Identifier, source: Source, answer: Identification, person: str | None, *, which: Select
) -> dict[str, Any]:
    """Draw what in a face and a candidate carried their similarity.

    Args:
        path: The picture to write.
        identifier: What searched.
        source: The picture that was searched.
        answer: What was found in it.
        person: The candidate; None for who was named with the highest similarity, else the closest of all.
        which: The faces that were searched.

    Returns:
        What was explained, for JSON.

    Raises:
        InputError: There is no face, or nobody in the gallery to compare it with.
    """
    from visavis.explain.sheet import explanation_sheet
    from visavis.io import write

    face, whom = _pair(answer, person)
    found = identifier.explain(source, whom, face=face, which=which)
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


def _pair(answer: Identification, person: str | None) -> tuple[int, str]:
    """Number of a face, and the person to compare it with."""
    if answer.failure is not None:
        raise InputError(answer.failure.message, reason=answer.failure.reason)
    faces = list(enumerate(answer.faces))
    if person is not None:
        return max(faces, key=lambda one: _similarity(one[1], person))[0], person
    every = [(number, one) for number, face in faces for one in face.candidates]
    if not every:
        raise InputError("there is nobody in the gallery to compare a face with", reason="gallery.empty")
    named = [(number, one) for number, one in every if answer.faces[number].person == one.person]
    number, candidate = max(named or every, key=lambda one: one[1].similarity)
    return number, candidate.person


def _similarity(face: IdentifiedFace, person: str) -> float:
    """Of a candidate; somebody who is none is least alike."""
    return next((one.similarity for one in face.candidates if one.person == person), -2.0)
