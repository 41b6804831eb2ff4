"""The score axis: where a similarity stands beside the threshold, and what the threshold means in groups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from visavis.report.sentences import percentage

_DECADES = (0.1, 0.01, 1e-3, 1e-4, 1e-5)
_LANE = 52
_TOP = 74
_LETTER = 6.4
"""Width of a letter of 12 pixels, on average."""


@dataclass(frozen=True, slots=True)
class Lane:
    """False match rates along the axis, of one population.

    Attributes:
        name: Whom they are of.
        marks: Similarity and rate of each mark, rising similarity.
    """

    name: str
    marks: tuple[tuple[float, float], ...]


def lanes(record: Mapping[str, Any]) -> list[Lane]:
    """Random impostors, the worst group and children: the thresholds at which each has a rate of 10 %, 1 % ...

    Between measured thresholds the logarithm of the rate is interpolated; nothing is carried on beyond them. A
    population of which nothing can be said is left out. At an operating point for the worst group the thresholds that
    groups need for each rate come second.

    Args:
        record: Of `case_record`.
    """
    calibration, groups = record["calibration"], record["groups"]
    found = [Lane("random impostors", marks([(point["threshold"], point["fmr"]) for point in calibration["points"]]))]
    if groups is not None:
        named = next((group for group in groups["groups"] if group["name"] == groups["worst"]), None)
        for name, group in ((f"worst group: {groups['worst']}", named), ("children under 13", groups["children"])):
            if group is not None and group["pairs"]:
                rates = [events / group["pairs"] for events in group["all_events"]]
                found.append(Lane(name, marks(list(zip(groups["thresholds"], rates, strict=True)))))
    if record["decision"]["at"]["worst_group"]:
        worst = [(point["threshold"], point["fmr"]) for point in calibration["worst"]]
        found.insert(1, Lane("the groups that set this threshold", marks(worst)))
    return [lane for lane in found if lane.marks]


def marks(measured: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """The similarities at which a falling rate passes 10 %, 1 % ..., of measured (similarity, rate).

    Rates of 0 are left out. With fewer than two decades in the measured range every measured rate is marked too.
    """
    known = sorted((similarity, rate) for similarity, rate in measured if rate > 0)
    if not known:
        return ()
    at = np.array([similarity for similarity, _ in known])
    logs = np.minimum.accumulate(np.array([math.log10(rate) for _, rate in known]))
    inside = [rate for rate in _DECADES if logs[-1] - 1e-9 <= math.log10(rate) <= logs[0] + 1e-9]
    found = {(float(np.interp(-math.log10(rate), -logs, at)), rate) for rate in inside}
    if len(found) < 2:
        found |= set(known)
    return tuple(sorted(found))


def axis_svg(record: Mapping[str, Any], *, width: int = 720) -> str:
    """The axis as inline SVG that takes its text colour from the page.

    Args:
        record: Of `case_record`.
        width: In pixels; text keeps its size, so a narrow axis leaves labels out that would touch.

    Returns:
        One ``<svg>`` element without scripts or addresses.
    """
    decision = record["decision"]
    similarity, threshold, band = decision["similarity"], decision["threshold"], decision["band"]
    tracks = lanes(record)
    low = min(-0.1, math.floor(similarity * 10 - 0.5) / 10)
    scale = _Scale(low, 1.0, 14, width - 14)
    height = _TOP + 44 + _LANE * len(tracks)
    x = scale(threshold)
    parts = [
        _zones(scale, threshold, band),
        f'<line class="cut" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 30}" y2="{height - 8}"/>',
        _ticks(scale),
        *(_lane(scale, lane, _TOP + 62 + _LANE * row) for row, lane in enumerate(tracks)),
    ]
    x = scale(similarity)
    parts += [
        f'<line class="here" x1="{x:.1f}" x2="{x:.1f}" y1="22" y2="{_TOP - 12}"/>',
        f'<path class="here" d="M{x:.1f} {_TOP + 1} l-8 -16 h16 z"/>',
        _label(scale, threshold, _TOP - 34, f"threshold {threshold:.3f}", "soft"),
        _label(scale, similarity, 15, f"similarity {similarity:.3f}", "strong"),
    ]
    return (
        f'<svg class="axis" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(_spoken(record, tracks))}">{"".join(parts)}</svg>'
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    left: float
    right: float

    def __call__(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.left + share * (self.right - self.left)


def _zones(scale: _Scale, threshold: float, band: Sequence[float] | None) -> str:
    start, end = (threshold, threshold) if band is None else band
    text = ""
    for name, low, high in (("different", scale.low, start), ("same", end, scale.high)):
        x, wide = scale(low), scale(high) - scale(low)
        text += f'<rect class="{name}" x="{x:.1f}" y="{_TOP}" width="{max(wide, 0):.1f}" height="18"/>'
        text += f'<text class="on" x="{x + wide / 2:.1f}" y="{_TOP + 13}" text-anchor="middle">{name}</text>'
    if band is not None:
        x, wide = scale(start), max(scale(end) - scale(start), 2.0)
        text += f'<rect class="band" x="{x:.1f}" y="{_TOP - 4}" width="{wide:.1f}" height="26"/>'
    return text


def _ticks(scale: _Scale) -> str:
    text = ""
    for step in range(round(scale.low * 10), 11):
        if step % 2 == 0:
            x = scale(step / 10)
            anchor = "end" if step == 10 else "middle"
            text += f'<text class="soft" x="{x:.1f}" y="{_TOP + 33}" text-anchor="{anchor}">{step / 10:.1f}</text>'
    return text


def _lane(scale: _Scale, lane: Lane, y: float) -> str:
    shown = sorted(lane.marks)
    start, end = scale(shown[0][0]), scale(shown[-1][0])
    text = f'<text x="{scale.left}" y="{y}">{escape(_cut(lane.name, scale))}</text>'
    text += f'<line class="lane" x1="{start:.1f}" x2="{end:.1f}" y1="{y + 12}" y2="{y + 12}"/>'
    free = -math.inf
    for similarity, rate in shown:
        x, word = scale(similarity), percentage(rate)
        text += f'<circle class="mark" cx="{x:.1f}" cy="{y + 12}" r="3.5"/>'
        half = _LETTER * len(word) / 2
        if x - half > free:
            text += f'<text class="soft" x="{x:.1f}" y="{y + 28}" text-anchor="middle">{word}</text>'
            free = x + half + 2
    return text


def _cut(name: str, scale: _Scale) -> str:
    most = int((scale.right - scale.left) / _LETTER)
    return name if len(name) <= most else f"{name[: most - 3]}..."


def _label(scale: _Scale, value: float, y: float, words: str, kind: str) -> str:
    """A label at a value that stays inside of the axis."""
    half = _LETTER * 1.1 * len(words) / 2
    x = min(max(scale(value), scale.left + half), scale.right - half)
    return f'<text class="{kind}" x="{x:.1f}" y="{y}" text-anchor="middle">{escape(words)}</text>'


def _spoken(record: Mapping[str, Any], tracks: Sequence[Lane]) -> str:
    decision = record["decision"]
    band = decision["band"]
    words = [f"Score axis: similarity {decision['similarity']:.3f}, threshold {decision['threshold']:.3f}"]
    if band is not None:
        words.append(f"inconclusive from {band[0]:.3f} to {band[1]:.3f}")
    for lane in tracks:
        rates = ", ".join(f"{percentage(rate)} at {similarity:.3f}" for similarity, rate in sorted(lane.marks))
        words.append(f"{lane.name}: {rates}")
    return "; ".join(words)
