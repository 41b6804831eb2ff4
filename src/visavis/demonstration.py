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
from PIL import Image, ImageDraw, ImageFont

from visavis import registry
from visavis.errors import DependencyError, InputError, NoFaceError
from visavis.explain.sentence import named
from visavis.pipeline.case import Case
from visavis.pipeline.pipeline import Pipeline
from visavis.pipeline.side import Side
from visavis.report.sheet import TONES, drawable, wrapped
from visavis.types import FMR, Decision, Faces, Picture, RegionEffect
from visavis.warps import resize

Pixels = NDArray[np.uint8]

_PORTRAITS = (
    ("skimage", "data/astronaut.png", "scikit-image"),
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", "matplotlib"),
)
_TILE = 240
_INK, _SOFT, _NOTHING = (27, 31, 36), (87, 96, 106), (110, 110, 110)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """One row of the demonstration.

    Attributes:
        name: What the portrait was compared with.
        picture: The compared picture, for the contact sheet.
        case: The comparison; None where there is none.
        regions: Effects of the parts of the face.
        failure: Why there is no answer; empty otherwise.
    """

    name: str
    picture: Pixels
    case: Case | None
    regions: tuple[RegionEffect, ...] = ()
    failure: str = ""

    @property
    def decision(self) -> Decision | None:
        """The answer; None where there is none."""
        return None if self.case is None else self.case.decision

    @property
    def quality(self) -> float | None:
        """Fused quality of the compared picture, 0..100; None where it was not assessed."""
        assessed = None if self.case is None else self.case.right.assessment
        return None if assessed is None else float(assessed.fused.score[0])

    @property
    def llr(self) -> float | None:
        """log10 likelihood ratio; None where there is none, and where a face fails the limits it was fitted under."""
        return None if self.case is None or self.case.unfit else self.case.decision.llr

    @property
    def carried(self) -> tuple[str, ...]:
        """The parts that clearly spoke for a match, the strongest first."""
        return self._clear(1)

    @property
    def against(self) -> tuple[str, ...]:
        """The parts that clearly spoke against a match, the strongest first."""
        return self._clear(-1)

    def _clear(self, side: int) -> tuple[str, ...]:
        clear = [region for region in self.regions if named(region) == side]
        return tuple(region.name for region in sorted(clear, key=lambda region: -abs(region.alone)))


def portraits() -> tuple[Path, Path]:
    """The portraits of Eileen Collins (in scikit-image) and Grace Hopper (in Matplotlib); public domain.

    Raises:
        DependencyError: A package that carries one is not installed.
    """
    found = [_carried(*entry) for entry in _PORTRAITS]
    return found[0], found[1]


def compare_copies(pipeline: Pipeline, first: Any, second: Any, *, at: FMR) -> list[Comparison]:
    """Compare a portrait with its own copies and, in the last row, with another face.

    Args:
        pipeline: From pictures to decisions.
        first: A picture, as for `visavis.io.read`.
        second: A picture of somebody else.
        at: The operating point.

    Raises:
        InputError: One of the two pictures cannot be read or shows no face.
        ModelError: No calibration for this pipeline, or none that reaches this rate.
    """
    pipeline.calibration().threshold(at)
    one, other = pipeline.side([first]), pipeline.side([second])
    portrait = _pixels(one)
    pictures = [(name, make(portrait, one.faces)) for name, make in _COPIES.items()]
    rows = [_compared(pipeline, one, name, pixels, at) for name, pixels in pictures]
    return [*rows, _row(pipeline, one, other, "another face", at)]


def _pixels(side: Side) -> Pixels:
    picture = side.pictures.items[0]
    assert picture is not None, "a side holds pictures that were read"
    return picture.pixels


def _compared(pipeline: Pipeline, one: Side, name: str, pixels: Pixels, at: FMR) -> Comparison:
    try:
        return _row(pipeline, one, pipeline.side([Picture(pixels, name)]), name, at)
    except NoFaceError as error:
        return Comparison(name, pixels, None, failure=error.reason)
    except InputError as error:
        return Comparison(name, pixels, None, failure=error.message)


def _row(pipeline: Pipeline, one: Side, two: Side, name: str, at: FMR) -> Comparison:
    case = Case(pipeline.decide(one, two, at=at), one, two, pipeline.calibration(), pipeline.quality_policy)
    explainer = registry.create("explainer/regions", embedder=pipeline.embedder)
    (found,) = explainer.explain(one.crops, two.crops)
    return Comparison(name, _pixels(two), case, found.regions)


def contact_sheet(rows: list[Comparison]) -> Pixels:
    """The compared pictures side by side, each with its answer and what it rests on below; uint8 RGB."""
    texts = [_told(row) for row in rows]
    lines = [[(line, size, tone) for text, size, tone in told for line in _broken(text, size)] for told in texts]
    height = _TILE + 14 + max(sum(round(1.35 * size) for _, size, _ in of_tile) for of_tile in lines) + 10
    sheet = Image.new("RGB", (_TILE * len(rows), height), "white")
    draw = ImageDraw.Draw(sheet)
    for place, (row, of_tile) in enumerate(zip(rows, lines, strict=True)):
        tall, wide = row.picture.shape[:2]
        scale = _TILE / max(tall, wide)
        small = resize(row.picture, max(1, round(wide * scale)), max(1, round(tall * scale)))
        left, top = place * _TILE + (_TILE - small.shape[1]) // 2, (_TILE - small.shape[0]) // 2
        sheet.paste(Image.fromarray(small), (left, top))
        tone = _NOTHING if row.decision is None else TONES[row.decision.answer]
        draw.rectangle((place * _TILE, _TILE, (place + 1) * _TILE - 3, _TILE + 5), fill=tone)
        y = _TILE + 12
        for line, size, colour in of_tile:
            draw.text((place * _TILE + 8, y), line, font=ImageFont.load_default(size), fill=colour)
            y += round(1.35 * size)
    return np.asarray(sheet, np.uint8).copy()


def _told(row: Comparison) -> list[tuple[str, int, tuple[int, int, int]]]:
    """The lines below a picture: text, size in pixels, colour."""
    told = [(row.name, 16, _INK)]
    decision = row.decision
    if decision is None:
        return [*told, (f"no answer: {row.failure}", 14, _NOTHING)]
    told.append((f"{decision.answer} {decision.similarity:.3f}", 20, TONES[decision.answer]))
    told += [(reason.partition(": ")[2] or reason, 13, _INK) for reason in decision.reasons]
    numbers = [] if row.llr is None else [f"log10 LR {row.llr:+.1f}"]
    numbers += [] if row.quality is None else [f"quality {row.quality:.0f}"]
    told.append((", ".join(numbers), 13, _SOFT))
    told += [(f"for: {', '.join(row.carried)}", 13, _SOFT)] if row.carried else []
    told += [(f"against: {', '.join(row.against)}", 13, _SOFT)] if row.against else []
    return told


def _broken(text: str, size: int) -> list[str]:
    return wrapped(drawable(text), ImageFont.load_default(size), _TILE - 16)


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


def _blurred_away(pixels: Pixels, faces: Faces) -> Pixels:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), float(faces.size[0]) / 15), np.uint8)


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
    "blurred far more": _blurred_away,
}
