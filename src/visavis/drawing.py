"""Drawing what was found into a picture."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from visavis.errors import UsageError
from visavis.types import Faces, Identification, IdentifiedFace, Picture
from visavis.warps import resize

_BOX = (0, 200, 255)
_POINT = (255, 80, 0)
_SOMEBODY = (0, 110, 60)
_NOBODY = (90, 90, 90)
_LEAST_SIDE = 900
"""A picture whose longer side is smaller is enlarged before names are drawn into it."""
_FONTS = ("NotoSansCJK-Regular.ttc", "DejaVuSans.ttf", "arial.ttf", "Arial.ttf")
"""Fonts of the system for names that the font of Pillow, which knows ASCII, cannot show; the first that is there."""


def draw_faces(picture: Picture, faces: Faces, *, labels: tuple[str, ...] | None = None) -> NDArray[np.uint8]:
    """The picture with the box and the five points of each face; the picture itself is not changed.

    Args:
        picture: The picture.
        faces: Faces of it, in pixels of the stored picture; failed rows are left out.
        labels: One short text a face, for above its box; the detection scores when None.

    Returns:
        uint8 RGB of the size of ``picture.pixels``.
    """
    page = picture.pixels.copy()
    scale = np.array(picture.scale)
    side = max(page.shape[:2])
    thick = max(1, round(side / 500))
    for row in np.flatnonzero(faces.ok):
        corners = np.rint(faces.boxes[row].reshape(2, 2) / scale).astype(int)
        cv2.rectangle(page, tuple(corners[0].tolist()), tuple(corners[1].tolist()), _BOX, thick)
        for point in np.rint(faces.points[row] / scale).astype(int).tolist():
            cv2.circle(page, tuple(point), thick + 1, _POINT, -1)
        text = labels[row] if labels is not None else f"{faces.score[row]:.2f}"
        place = int(corners[0, 0]), int(max(corners[0, 1] - 2 * thick, 10))
        cv2.putText(page, text, place, cv2.FONT_HERSHEY_SIMPLEX, max(0.4, side / 1500), _BOX, thick, cv2.LINE_AA)
    return page


def draw_people(picture: Picture, found: Identification) -> NDArray[np.uint8]:
    """The picture with a box about each face and a plate with the name, *nobody* or *inconclusive*, in a copy.

    Args:
        picture: The picture that was searched.
        found: Whom its faces show.

    Returns:
        uint8 RGB; larger than a small picture, so that names can be read.
    """
    factor = max(1, -(-_LEAST_SIDE // max(picture.size)))
    width, height = (side * factor for side in picture.size)
    page = Image.fromarray(picture.pixels).resize((width, height), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(page)
    side = max(width, height)
    boxes = {
        number: np.array(face.box).reshape(2, 2) / np.array(picture.scale) * factor
        for number, face in enumerate(found.faces)
        if face.box is not None
    }
    for number, box in boxes.items():
        corners = [*box[0].tolist(), *box[1].tolist()]
        pen.rectangle(corners, outline=_colour(found.faces[number]), width=max(2, side // 400))
    plates: list[tuple[float, float, float, float]] = []
    # Nobody's plates are placed last, so that they give way to names.
    for number, box in sorted(boxes.items(), key=lambda one: found.faces[one[0]].person is None):
        face = found.faces[number]
        text, font = written(_name(face), max(15, side // 55), instead=f"face {number}")
        extent = pen.textbbox((0, 0), text, font=font, anchor="lt")
        margin = max(3, int(font.size) // 4)
        place = _place((extent[2] + 2 * margin, extent[3] + 2 * margin), box, (width, height), plates)
        pen.rectangle(place, fill=_colour(face))
        pen.text((place[0] + margin, place[1] + margin), text, font=font, fill=(255, 255, 255), anchor="lt")
        plates.append(place)
    return np.array(page, np.uint8)


def _colour(face: IdentifiedFace) -> tuple[int, int, int]:
    return _NOBODY if face.person is None else _SOMEBODY


def _name(face: IdentifiedFace) -> str:
    unnamed = "inconclusive" if face.why == "inconclusive" else "nobody"
    text = unnamed if face.person is None else face.name or face.person
    return text if len(text) <= 40 else text[:37] + "..."


def written(text: str, size: int, *, instead: str) -> tuple[str, Any]:
    """The text and a font that can show it; without one, the text in ASCII, or another where nothing of it is."""
    plain = ImageFont.load_default(size)
    if text.isascii():
        return text, plain
    for name in _FONTS:
        try:
            font = ImageFont.truetype(name, size)
        except OSError:
            continue
        if all(_shows(font, letter) for letter in set(text)):
            return text, font
    letters = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    return (letters if letters.isascii() else instead), plain


def _shows(font: ImageFont.FreeTypeFont, letter: str) -> bool:
    """Whether a font has a letter: what it lacks looks like a character that no font has."""
    return letter.isspace() or bytes(font.getmask(letter)) != bytes(font.getmask("\U0010fffe"))


def _place(
    size: tuple[float, float],
    box: NDArray[np.float64],
    page: tuple[int, int],
    taken: Sequence[tuple[float, float, float, float]],
) -> tuple[float, float, float, float]:
    """Where a plate covers no other one: above the box, below it, or within; above where nowhere is free."""
    width, height = size
    left = float(np.clip(box[0, 0], 0, max(0, page[0] - width)))
    places = []
    for top in (box[0, 1] - height, box[1, 1], box[0, 1], box[1, 1] - height, box[0, 1] - 2 * height):
        low = float(np.clip(top, 0, max(0, page[1] - height)))
        places.append((left, low, left + width, low + height))
    return next((one for one in places if not any(_overlap(one, other) for other in taken)), places[0])


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def draw_rows(rows: Sequence[tuple[str, Sequence[NDArray[np.uint8]]]], *, side: int = 80) -> NDArray[np.uint8]:
    """Faces in rows on white, a short text before each row.

    Args:
        rows: Text, and uint8 RGB crops of any size.
        side: Pixels of a crop on the sheet.

    Returns:
        uint8 RGB, as wide as the longest row.

    Raises:
        UsageError: No rows.
    """
    if not rows:
        raise UsageError("a sheet needs one row of faces at least")
    gap, text = side // 10, 2 * side
    width = max(len(crops) for _, crops in rows)
    page = np.full((len(rows) * (side + gap) + gap, text + width * (side + gap) + gap, 3), 255, np.uint8)
    for row, (label, crops) in enumerate(rows):
        top = gap + row * (side + gap)
        place = gap, top + side // 2 + gap
        cv2.putText(page, label, place, cv2.FONT_HERSHEY_SIMPLEX, side / 170, (27, 31, 36), 1, cv2.LINE_AA)
        for column, crop in enumerate(crops):
            left = text + column * (side + gap)
            page[top : top + side, left : left + side] = resize(crop, side, side)
    return page
