"""One comparison as one picture for a case file."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from visavis.explain.overlay import AGAINST, FOR
from visavis.report.pictures import CasePictures, Pixels
from visavis.report.sentences import TITLES

WIDTH = 1240
"""Width of the picture: A4 at 150 dots an inch."""
_MARGIN = 60
_FACE = 268
_GAP = 16
_INK, _SOFT, _LINE = (27, 31, 36), (87, 96, 106), (208, 214, 220)
TONES = {"same": (0, 114, 178), "different": (179, 71, 0), "inconclusive": (107, 78, 160)}


def case_png(record: Mapping[str, Any], pictures: CasePictures) -> Pixels:
    """The answer, both faces, the maps, and the numbers with their population.

    Args:
        record: Of `case_record`.
        pictures: Of `case_pictures`.

    Returns:
        uint8 RGB ``(H, 1240, 3)``; the height follows the text.
    """
    sheet = _Sheet()
    decision, words = record["decision"], record["decision"]["words"]
    sheet.bar(TONES[decision["answer"]])
    sheet.text(TITLES[decision["answer"]], size=50, colour=TONES[decision["answer"]])
    sheet.text(words["answer"], size=24)
    for reason in decision["reasons"]:
        sheet.text(f"- {reason}", size=20, colour=TONES["inconclusive"])
    sheet.space(12)
    _faces(sheet, record, pictures)
    sheet.axis(decision["similarity"], decision["threshold"], decision["band"])
    evidence = record["evidence"]
    if evidence is not None and evidence["sentence"]:
        sheet.text(evidence["sentence"], size=21)
        sheet.space(6)
    sheet.text(words["rate"], size=21)
    if words["groups"]:
        sheet.text(words["groups"], size=21)
    sheet.text(words["llr"], size=21)
    _foot(sheet, record)
    return sheet.pixels()


def _faces(sheet: _Sheet, record: Mapping[str, Any], pictures: CasePictures) -> None:
    names = [record[key]["pictures"][row]["name"] for key, row in zip(("left", "right"), pictures.rows, strict=True)]
    shown = [*zip(pictures.faces, names, strict=True)]
    if pictures.maps is not None:
        shown += [(pictures.maps[side], f"what moved it, {word} face") for side, word in enumerate(("first", "second"))]
    sheet.row(shown)
    if pictures.maps is not None:
        sheet.key((FOR, "spoke for a match"), (AGAINST, "spoke against"))


def _foot(sheet: _Sheet, record: Mapping[str, Any]) -> None:
    sheet.rule()
    for note in record["decision"]["warnings"]:
        sheet.text(f"Note: {note}", size=17)
    software = record["software"]
    sheet.text(
        f"{record['recogniser']['name']}, {software['engine']} {software['engine_version']}, {software['precision']}; "
        f"visavis {software['visavis']}; calibration {record['decision']['calibration']}, space "
        f"{record['decision']['space']}; {record['time']}",
        size=17,
        colour=_SOFT,
    )
    for key in ("left", "right"):
        for entry in record[key]["pictures"]:
            sheet.text(f"{_short(entry['name'])}: sha256 {entry['sha256']}", size=15, colour=_SOFT)
    sheet.text(
        "This is no probability of identity, and no second examination: see the HTML report for the limits.",
        size=17,
        colour=_SOFT,
    )


def _short(name: str) -> str:
    tail = name.replace("\\", "/").rsplit("/", 1)[-1]
    return tail if len(tail) <= 60 else f"{tail[:28]}...{tail[-29:]}"


def drawable(text: str) -> str:
    """Letters that the font has; others as escapes, so that nothing is silently left out."""
    return "".join(
        letter if " " <= letter <= "\u024f" and letter.isprintable() else ascii(letter)[1:-1] for letter in text
    )


class _Sheet:
    """A page that grows downwards."""

    def __init__(self) -> None:
        self._image = Image.new("RGB", (WIDTH, 4000), "white")
        self._draw = ImageDraw.Draw(self._image)
        self._y = 44

    def _room(self, height: int) -> None:
        """Grow when the next piece would not fit."""
        if self._y + height + 100 > self._image.height:
            larger = Image.new("RGB", (WIDTH, self._image.height * 2), "white")
            larger.paste(self._image, (0, 0))
            self._image, self._draw = larger, ImageDraw.Draw(larger)

    def bar(self, colour: tuple[int, int, int]) -> None:
        self._draw.rectangle((0, 0, WIDTH, 14), fill=colour)

    def space(self, height: int) -> None:
        self._y += height

    def rule(self) -> None:
        self._y += 10
        self._draw.line((_MARGIN, self._y, WIDTH - _MARGIN, self._y), fill=_LINE, width=2)
        self._y += 12

    def text(self, text: str, *, size: int, colour: tuple[int, int, int] = _INK) -> None:
        font = ImageFont.load_default(size)
        for line in wrapped(drawable(text), font, WIDTH - 2 * _MARGIN):
            self._room(2 * size)
            self._draw.text((_MARGIN, self._y), line, font=font, fill=colour)
            self._y += round(1.32 * size)
        self._y += round(0.3 * size)

    def row(self, shown: list[tuple[Pixels, str]]) -> None:
        font = ImageFont.load_default(17)
        step = _FACE + _GAP
        self._room(_FACE + 60)
        lowest = 0
        for place, (pixels, caption) in enumerate(shown):
            x = _MARGIN + place * step
            tile = Image.fromarray(pixels).resize((_FACE, round(_FACE * pixels.shape[0] / pixels.shape[1])))
            self._image.paste(tile, (x, self._y))
            lines = wrapped(drawable(_short(caption)), font, _FACE)
            for number, line in enumerate(lines):
                self._draw.text((x, self._y + tile.height + 6 + 22 * number), line, font=font, fill=_SOFT)
            lowest = max(lowest, tile.height + 6 + 22 * len(lines))
        self._y += lowest + 10

    def key(self, *entries: tuple[tuple[int, int, int], str]) -> None:
        font = ImageFont.load_default(17)
        x = _MARGIN + 2 * (_FACE + _GAP)
        for colour, word in entries:
            self._draw.rectangle((x, self._y, x + 18, self._y + 18), fill=colour)
            self._draw.text((x + 26, self._y - 1), word, font=font, fill=_SOFT)
            x += 60 + round(font.getlength(word))
        self._y += 36

    def axis(self, similarity: float, threshold: float, band: list[float] | None) -> None:
        """The score axis: different, inconclusive, same, and where the similarity stands."""
        font = ImageFont.load_default(18)
        low = min(-0.1, np.floor(similarity * 10 - 0.5) / 10)
        start, end = band or (threshold, threshold)

        def at(value: float) -> int:
            share = (min(max(value, low), 1.0) - low) / (1.0 - low)
            return int(np.rint(_MARGIN + share * (WIDTH - 2 * _MARGIN)))

        self._room(140)
        top = self._y + 44
        for name, left, right in (("different", at(low), at(start)), ("same", at(end), at(1.0))):
            self._draw.rectangle((left, top, max(left, right), top + 24), fill=TONES[name])
            self._centred((left + right) / 2, top + 1, name, font, (255, 255, 255))
        if band is not None:
            self._draw.rectangle(
                (at(start), top - 5, max(at(end), at(start) + 3), top + 29), fill=TONES["inconclusive"]
            )
        x = at(threshold)
        self._draw.line((x, top - 5, x, top + 36), fill=_INK, width=2)
        self._centred(x, top + 38, f"threshold {threshold:.3f}", font, _SOFT)
        x = at(similarity)
        self._draw.polygon(((x - 11, top - 20), (x + 11, top - 20), (x, top)), fill=_INK)
        self._centred(x, top - 44, f"similarity {similarity:.3f}", font, _INK)
        self._y = top + 76

    def _centred(self, x: float, y: float, text: str, font: Any, colour: tuple[int, int, int]) -> None:
        half = font.getlength(text) / 2
        x = min(max(x, _MARGIN + half), WIDTH - _MARGIN - half)
        self._draw.text((x - half, y), text, font=font, fill=colour)

    def pixels(self) -> Pixels:
        return np.asarray(self._image, np.uint8)[: self._y + 40].copy()


def wrapped(text: str, font: Any, width: int) -> list[str]:
    """The text in lines of at most a width in pixels; a word that is longer is cut."""
    lines, line = [], ""
    for word in text.split():
        trial = f"{line} {word}".strip()
        if font.getlength(trial) <= width:
            line = trial
            continue
        if line:
            lines.append(line)
        while font.getlength(word) > width:
            # Text grows with every letter, so the longest beginning that fits is found by halving.
            fits = max(1, bisect_right(range(1, len(word)), width, key=lambda count: font.getlength(word[:count])))
            lines.append(word[:fits])
            word = word[fits:]
        line = word
    return [*lines, line] if line or not lines else lines
