"""What `visavis demo` shows: one portrait against its own damaged copies, and against another face."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.errors import DependencyError, InputError, NoFaceError
from visavis.io import read
from visavis.pipeline.pipeline import Pipeline
from visavis.types import FMR, Decision, Faces, Picture
from visavis.warps import resize

Pixels = NDArray[np.uint8]

_PORTRAITS = (
    ("skimage", "data/astronaut.png", "scikit-image"),
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", "matplotlib"),
)
_TILE = 240


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """One row of the demonstration.

    Attributes:
        name: What the portrait was compared with.
        picture: The compared picture, for the contact sheet.
        decision: The answer; None where there is none.
        failure: Why there is no answer; empty otherwise.
    """

    name: str
    picture: Pixels
    decision: Decision | None
    failure: str = ""


def portraits() -> tuple[Path, Path]:
    """The portraits of Eileen Collins (in scikit-image) and Grace Hopper (in Matplotlib); public domain.

    Raises:
        DependencyError: A package that carries one is not installed.
    """
    found = [_carried(*entry) for entry in _PORTRAITS]
    return found[0], found[1]


def compare_copies(pipeline: Pipeline, first: Any, second: Any, *, at: FMR) -> list[Comparison]:
    """Compare a portrait with its own copies and with another face.

    Args:
        pipeline: From pictures to decisions.
        first: A picture, as for `visavis.io.read`.
        second: A picture of somebody else.
        at: The operating point.

    Raises:
        InputError: One of the two pictures cannot be read or shows no face.
    """
    portrait, other = read(first), read(second)
    one = pipeline.side([portrait])
    pipeline.side([other])
    pictures = [(name, make(portrait.pixels, one.faces)) for name, make in _COPIES.items()]
    rows = []
    for name, pixels in [*pictures, ("another face", other.pixels)]:
        try:
            two = pipeline.side([Picture(pixels, name)])
            decision = pipeline.compare(one.template, two.template, at=at, warnings=two.warnings)
            rows.append(Comparison(name, pixels, decision))
        except NoFaceError as error:
            rows.append(Comparison(name, pixels, None, error.reason))
        except InputError as error:
            rows.append(Comparison(name, pixels, None, error.message))
    return rows


def contact_sheet(rows: list[Comparison]) -> Pixels:
    """The compared pictures side by side, each with its answer below; uint8 RGB."""
    tiles = []
    for row in rows:
        tile = np.full((_TILE + 44, _TILE, 3), 255, np.uint8)
        height, width = row.picture.shape[:2]
        scale = _TILE / max(height, width)
        small = resize(row.picture, max(1, round(width * scale)), max(1, round(height * scale)))
        top, left = (_TILE - small.shape[0]) // 2, (_TILE - small.shape[1]) // 2
        tile[top : top + small.shape[0], left : left + small.shape[1]] = small
        answer = row.failure if row.decision is None else f"{row.decision.answer} {row.decision.similarity:.3f}"
        for line, text in enumerate((row.name, answer)):
            place = (6, _TILE + 17 + 19 * line)
            cv2.putText(tile, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (20, 20, 20), 1, cv2.LINE_AA)
        tiles.append(tile)
    return np.concatenate(tiles, axis=1)


def _carried(package: str, path: str, requirement: str) -> Path:
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or []) if spec else []
    file = Path(places[0]) / path if places else None
    if file is None or not file.is_file():
        raise DependencyError(
            f"the demo's portrait comes with {requirement}, which is not installed; run: pip install 'visavis[demo]', "
            "or give two photos of your own: visavis demo A B"
        )
    return file


def _turned(pixels: Pixels, faces: Faces) -> Pixels:
    centre = (faces.boxes[0, :2] + faces.boxes[0, 2:]) / 2
    matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), 30, 1)
    size = (pixels.shape[1], pixels.shape[0])
    return np.asarray(cv2.warpAffine(pixels, matrix, size, borderMode=cv2.BORDER_REFLECT), np.uint8)


def _darkened(pixels: Pixels, faces: Faces) -> Pixels:
    return (pixels * 0.2).astype(np.uint8)


def _blurred(pixels: Pixels, faces: Faces) -> Pixels:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), float(faces.size[0]) / 40), np.uint8)


def _half_covered(pixels: Pixels, faces: Faces) -> Pixels:
    covered = pixels.copy()
    x0, _, x1, y1 = np.rint(faces.boxes[0]).astype(int)
    nose = round(float(faces.points[0, 2, 1]))
    covered[max(nose, 0) : y1 + 1, max(x0, 0) : x1 + 1] = 128
    return covered


_COPIES: dict[str, Callable[[Pixels, Faces], Pixels]] = {
    "turned by 30 degrees": _turned,
    "darkened to a fifth": _darkened,
    "blurred": _blurred,
    "half covered": _half_covered,
}
