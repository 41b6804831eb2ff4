"""The pictures of a case: faces, maps over them, and whole pictures with the box of the face."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.errors import UsageError
from visavis.explain.overlay import map_scale, overlay
from visavis.pipeline.case import Case
from visavis.pipeline.side import Side
from visavis.types import Explanation
from visavis.warps import resize

Pixels = NDArray[np.uint8]

ENLARGE = 2
"""Whole factor by which crops and maps are drawn larger than the network sees them."""
_WHOLE = 480
_RIM, _BOX = ((0, 0, 0), 5), ((255, 210, 0), 3)
"""Colour and thickness of the box: yellow on black is seen on any picture."""


@dataclass(frozen=True, slots=True, eq=False)
class CasePictures:
    """What a report shows; all uint8 RGB.

    Attributes:
        faces: The compared crop of each side, as the network sees it, enlarged.
        maps: The same crops in grey under their maps; None without an explanation.
        scale: The magnitude that is drawn in full colour on both maps; 0 without an explanation.
        whole: Per side, each picture with the box of its face, its longer side at most 480 pixels.
        rows: Which picture of each side `faces` shows.
    """

    faces: tuple[Pixels, Pixels]
    maps: tuple[Pixels, Pixels] | None
    scale: float
    whole: tuple[tuple[Pixels, ...], tuple[Pixels, ...]]
    rows: tuple[int, int] = (0, 0)


def shown_rows(case: Case) -> tuple[int, int]:
    """The picture of each side that is shown and explained: the compared one, of several the best."""
    return _best(case.left), _best(case.right)


def _best(side: Side) -> int:
    if side.chosen is not None:
        return side.chosen
    if side.assessment is None:
        return 0
    scores = side.assessment.fused.score
    return 0 if np.isnan(scores).all() else int(np.nanargmax(scores))


def case_pictures(
    case: Case, explanation: Explanation | None = None, *, explained: tuple[int, int] = (0, 0)
) -> CasePictures:
    """Draw the pictures of a case.

    Args:
        case: What `Pipeline.examine` returned.
        explanation: Maps over one crop of each side.
        explained: The rows of those two crops.

    Raises:
        UsageError: Rows that the sides do not have, or maps of another size than the crops.
    """
    sides = case.left, case.right
    for side, row in zip(sides, explained, strict=True):
        if not 0 <= row < len(side):
            raise UsageError(f"the explained picture is one of 0 to {len(side) - 1} of its side; got {row}")
    left, right = (side.crops.pixels[row] for side, row in zip(sides, explained, strict=True))
    maps, scale = None, 0.0
    if explanation is not None:
        scale = map_scale(explanation.left, explanation.right)
        maps = (
            overlay(left, explanation.left, scale=scale, enlarge=ENLARGE),
            overlay(right, explanation.right, scale=scale, enlarge=ENLARGE),
        )
    return CasePictures(
        (_enlarged(left), _enlarged(right)),
        maps,
        scale,
        (_whole(case.left), _whole(case.right)),
        explained,
    )


def _enlarged(crop: Pixels) -> Pixels:
    size = (crop.shape[1] * ENLARGE, crop.shape[0] * ENLARGE)
    return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _whole(side: Side) -> tuple[Pixels, ...]:
    drawn = []
    for row, picture in enumerate(side.pictures):
        assert picture is not None, "a side holds pictures that were read"
        width, height = picture.size
        factor = min(1.0, _WHOLE / max(height, width))
        page = resize(picture.pixels, max(1, round(width * factor)), max(1, round(height * factor))).copy()
        corners = np.rint(side.faces.boxes[row].reshape(2, 2) / np.array(picture.scale) * factor).astype(int).tolist()
        for colour, thick in (_RIM, _BOX):
            cv2.rectangle(page, corners[0], corners[1], colour, thick)
        drawn.append(page)
    return tuple(drawn)
