"""An explanation as one picture: crops, maps, legend, sentence, numbers."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.explain.overlay import _STRONGEST, colours, map_scale, overlay
from visavis.types import Explanation

Page = NDArray[np.uint8]

_ENLARGE = 3
_GAP = 16
_INK = (30, 30, 30)
_LINE = 20
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SIZE = 0.46


def explanation_sheet(explanation: Explanation, left: Page, right: Page, *, note: str = "") -> Page:
    """Both crops, both maps at one scale, a legend, the sentence and the effects of parts.

    Args:
        explanation: Of the pair.
        left: Crop of the first face, uint8 RGB ``(H, W, 3)``.
        right: Crop of the second.
        note: A further line, for example the names of the files.

    Returns:
        uint8 RGB.
    """
    scale = map_scale(explanation.left, explanation.right)
    size = (left.shape[1] * _ENLARGE, left.shape[0] * _ENLARGE)
    faces = [
        cv2.resize(left, size, interpolation=cv2.INTER_CUBIC),
        overlay(left, explanation.left, scale=scale, enlarge=_ENLARGE),
        overlay(right, explanation.right, scale=scale, enlarge=_ENLARGE),
        cv2.resize(right, size, interpolation=cv2.INTER_CUBIC),
    ]
    space = np.full((size[1], _GAP, 3), 255, np.uint8)
    row = np.concatenate([part for face in faces for part in (space, np.asarray(face, np.uint8))] + [space], axis=1)
    width = row.shape[1]
    top = np.full((_GAP, width, 3), 255, np.uint8)
    parts = [top, row, _legend(width, scale), _text(_lines(explanation, note, width), width)]
    return np.concatenate(parts, axis=0)


def _legend(width: int, scale: float) -> Page:
    """A bar from full blue over none to full red, with what the ends mean."""
    page = np.full((58, width, 3), 255, np.uint8)
    bar = min(520, width - 2 * _GAP)
    values = np.linspace(-1, 1, bar, dtype=np.float32)
    strength = (np.abs(values) * _STRONGEST)[:, None]
    shown = np.float32(200) * (1 - strength) + colours(values) * strength
    start = (width - bar) // 2
    page[14:28, start : start + bar] = np.rint(shown).astype(np.uint8)
    words = (f"against a match: {-scale:.2g}", "0", f"for a match: {scale:.2g}")
    for place, text in zip((0.0, 0.5, 1.0), words, strict=True):
        wide = cv2.getTextSize(text, _FONT, _SIZE, 1)[0][0]
        at = int(start + place * bar - place * wide)
        cv2.putText(page, text, (at, 46), _FONT, _SIZE, _INK, 1, cv2.LINE_AA)
    return page


def _lines(explanation: Explanation, note: str, width: int) -> list[str]:
    head = f"similarity {explanation.similarity:.4f}   {explanation.method}   {explanation.passes} passes"
    lines = [*_wrapped(note, width), head, *_wrapped(explanation.sentence, width)]
    if explanation.regions:
        lines.append("similarity lost when a part is hidden in the left face, in the right, in both:")
    for effect in explanation.regions:
        lines.append(
            f"    {effect.name}: {effect.left:+.3f}, {effect.right:+.3f}, {effect.both:+.3f}"
            f"   (spread {effect.spread:.3f})"
        )
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.encode("ascii", "replace").decode().split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and cv2.getTextSize(longer, _FONT, _SIZE, 1)[0][0] <= width - 2 * _GAP:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _text(lines: list[str], width: int) -> Page:
    page = np.full((_LINE * len(lines) + _GAP, width, 3), 255, np.uint8)
    for number, line in enumerate(lines):
        cv2.putText(page, line, (_GAP, _LINE * (number + 1) - 4), _FONT, _SIZE, _INK, 1, cv2.LINE_AA)
    return page
