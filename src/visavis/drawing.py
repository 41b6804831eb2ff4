"""Drawing what was found into a picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.types import Faces, Picture
from visavis.warps import resize

_BOX = (0, 200, 255)
_POINT = (255, 80, 0)


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
