"""A picture of who appears when in a clip."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from visavis.drawing import written
from visavis.types.clip_tracks import ClipFacts, ClipTracks
from visavis.types.timeline import IdentifiedTrack, Timeline
from visavis.types.track import Track, TrackFrame

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 1400, 380, 40, 64, 70
_ROW, _FACE, _BAR = 84, 72, 30
_INK, _SOFT, _LINE, _CUT = (27, 31, 36), (104, 110, 118), (222, 226, 230), (214, 96, 77)
_SOMEBODY, _NOBODY, _MARK = (0, 110, 60), (140, 146, 152), (255, 255, 255)
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
_TICKS = 8
_MOST = 200
"""Rows of the picture at most: more make one that few programs open."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One row of the picture.

    Attributes:
        label: Who it is.
        note: A short second line.
        tracks: Its tracks; the face that is shown is the best of them all.
        known: Whether it is somebody of the gallery.
    """

    label: str
    note: str
    tracks: tuple[Track, ...]
    known: bool

    @property
    def best(self) -> TrackFrame:
        """The best frame of its tracks."""
        return max((track.best[0] for track in self.tracks), key=lambda frame: (not frame.unfit, frame.quality))


def timeline_lanes(found: Timeline | ClipTracks) -> tuple[Lane, ...]:
    """A lane for each person, by first appearance, and after them one for each track of nobody."""
    if isinstance(found, ClipTracks):
        return tuple(Lane(f"face {one.number}", _length([one]), (one,), False) for one in found.tracks)
    people = []
    for person in found.people:
        mine = [one for one in found.tracks if one.person == person]
        people.append(Lane(mine[0].name or person, _length([one.track for one in mine]), _tracks(mine), True))
    nobody = [one for one in found.tracks if one.person is None]
    word = {"inconclusive": "inconclusive"}
    others = [
        Lane(f"{word.get(one.why, 'nobody')} (track {one.track.number})", _length([one.track]), (one.track,), False)
        for one in nobody
    ]
    return (*people, *others)


def draw_timeline(found: Timeline | ClipTracks) -> NDArray[np.uint8]:
    """Bars over the seconds of the clip, a row a person, each with its best face and a mark where that frame lies.

    Changes of scene are thin lines.

    Args:
        found: The tracks of a clip, with or without names.

    Returns:
        uint8 RGB, 1400 pixels wide; as high as the rows need. Of more than 200 rows those that are seen longest are
        drawn, and the last line says how many there are besides.
    """
    lanes, left_out = _longest(timeline_lanes(found))
    facts = found.facts
    height = _TOP + max(1, len(lanes)) * _ROW + _BOTTOM
    page = Image.new("RGB", (_WIDTH, height), "white")
    pen = ImageDraw.Draw(page)
    start, end = _stretch(facts, lanes)
    axis = _Axis(start, end)
    _write(pen, (20, 18), _title(facts), 20, _INK)
    _ticks(pen, axis, height)
    for time in facts.cuts:
        pen.line([(axis.x(time), _TOP), (axis.x(time), height - _BOTTOM)], fill=_CUT, width=1)
    for row, lane in enumerate(lanes):
        _lane(page, pen, lane, axis, _TOP + row * _ROW)
    if left_out:
        _write(
            pen, (20, height - 28), f"and {left_out} more, seen for a shorter time; a table (.csv) has all", 18, _SOFT
        )
    if not lanes:
        _write(pen, (20, _TOP + 24), "no face is seen long enough to be followed", 18, _SOFT)
    return np.asarray(page, np.uint8)


def _longest(lanes: tuple[Lane, ...]) -> tuple[tuple[Lane, ...], int]:
    """The lanes that are seen longest, in the order they had, and how many are left out."""
    if len(lanes) <= _MOST:
        return lanes, 0
    seconds = [sum(end - begin for one in lane.tracks for begin, end in one.spans) for lane in lanes]
    kept = sorted(np.argsort(seconds, kind="stable")[-_MOST:])
    return tuple(lanes[row] for row in kept), len(lanes) - _MOST


class _Axis:
    def __init__(self, start: float, end: float) -> None:
        self.start, self.end = start, max(end, start + 1e-3)

    def x(self, time: float) -> float:
        share = (time - self.start) / (self.end - self.start)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def ticks(self) -> list[tuple[float, str]]:
        step = next((one for one in _STEPS if (self.end - self.start) / one <= _TICKS), _STEPS[-1])
        first = math.ceil(self.start / step - 1e-9)
        times = [step * number for number in range(first, int(self.end / step + 1e-9) + 1)]
        return [(time, _clock(time, tenths=step < 1)) for time in times]


def _lane(page: Image.Image, pen: ImageDraw.ImageDraw, lane: Lane, axis: _Axis, top: int) -> None:
    middle = top + _ROW // 2
    face = Image.fromarray(lane.best.crop).resize((_FACE, _FACE), Image.Resampling.LANCZOS)
    page.paste(face, (20, middle - _FACE // 2))
    left = 20 + _FACE + 16
    _write(pen, (left, middle - 22), lane.label, 19, _INK, most=_LEFT - left - 20)
    _write(pen, (left, middle + 6), lane.note, 15, _SOFT, most=_LEFT - left - 20)
    pen.line([(_LEFT, top + _ROW), (_WIDTH - _RIGHT, top + _ROW)], fill=_LINE)
    colour = _SOMEBODY if lane.known else _NOBODY
    for track in lane.tracks:
        for begin, end in track.spans:
            box = [axis.x(begin), middle - _BAR // 2, max(axis.x(end), axis.x(begin) + 2), middle + _BAR // 2]
            pen.rectangle(box, fill=colour)
    x = axis.x(lane.best.time)
    pen.polygon([(x, middle - 7), (x + 7, middle), (x, middle + 7), (x - 7, middle)], fill=_MARK, outline=_INK)


def _ticks(pen: ImageDraw.ImageDraw, axis: _Axis, height: int) -> None:
    base = height - _BOTTOM
    for time, clock in axis.ticks():
        x = axis.x(time)
        pen.line([(x, _TOP), (x, base + 6)], fill=_LINE)
        text, font = written(clock, 15, instead="")
        pen.text((x, base + 10), text, font=font, fill=_SOFT, anchor="ma")
    legend = "bars: when the face is seen; diamond: the best frame, shown at the left; thin red line: the scene changes"
    _write(pen, (20, height - 28), legend, 14, _SOFT)


def _write(
    pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int, ink: tuple[int, int, int], *,
    most: int = _WIDTH - 40,
) -> None:  # fmt: skip
    """Text, cut where it is wider than the room."""
    shown, font = written(text, size, instead="a name this font cannot show")
    while len(shown) > 4 and pen.textlength(shown, font=font) > most:
        shown = shown[:-4].rstrip(".") + "..."
    pen.text(place, shown, font=font, fill=ink, anchor="lt")


def _stretch(facts: ClipFacts, lanes: Sequence[Lane]) -> tuple[float, float]:
    """First and last second: of the clip, from where it was looked at."""
    spans = [span for lane in lanes for track in lane.tracks for span in track.spans]
    start = facts.start
    return start, max([start + facts.seconds, *(end for _, end in spans)])


def _title(facts: ClipFacts) -> str:
    name = facts.name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return f"{name}   {facts.seconds:.1f} s, {facts.looked} of {facts.frames} frames looked at"


def _tracks(found: Sequence[IdentifiedTrack]) -> tuple[Track, ...]:
    return tuple(one.track for one in found)


def _length(tracks: Sequence[Track]) -> str:
    parts = sum(len(track.spans) for track in tracks)
    return f"{sum(track.seconds for track in tracks):.1f} s" + (f" in {parts} parts" if parts > 1 else "")


def _clock(time: float, *, tenths: bool) -> str:
    """Seconds as people read them: 0:07, 1:02:05, or 0:07.5."""
    whole, tenth = divmod(round(time * 10), 10)
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    return clock + (f".{tenth}" if tenths else "")
