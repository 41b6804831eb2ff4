"""Plots of a stored verification result, as SVG text.

Matplotlib's object interface only: no global figure, no display. Ink is ``currentColor``, so that a plot
inside a page follows its light or dark scheme; the two hues (Okabe and Ito's blue and vermilion, the
blue lightened) are told apart by colour-blind readers, and line style or fill repeats the difference.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from visavis._require import require
from visavis.metrics.curves import deviates

_INK = "#010203"
_BLUE = "#2f86c6"
_VERMILION = "#d55e00"
# Okabe and Ito's hues, each with a line of its own: told apart by colour-blind readers and in grey.
LINES: tuple[tuple[str, Any], ...] = (
    (_BLUE, "-"),
    (_VERMILION, "--"),
    ("#009e73", "-."),
    ("#cc79a7", ":"),
    ("#e69f00", (0, (5, 1))),
    ("#56b4e9", (0, (3, 1, 1, 1))),
    ("#8c6d31", (0, (1, 1))),
    ("#7b7b7b", (0, (8, 2))),
)
"""Colour and line style of curves that stand in one plot."""
_RATES = (1e-4, 1e-3, 1e-2, 0.05, 0.1, 0.2, 0.4)


def roc_svg(result: Mapping[str, Any]) -> str:
    """The ROC curve over a logarithmic FAR axis, with the oracle points that the result quotes.

    Args:
        result: `VerificationResult.to_dict`.

    Raises:
        DependencyError: Matplotlib is not installed.
    """
    curve = result["curves"]["roc"]
    fmr, tar = np.array(curve["fmr"]), 1 - np.array(curve["fnmr"])
    floor = 0.5 / max(result["nonmated"], 1)
    figure, axes = _canvas("False accept rate (log)", "True accept rate")
    axes.step(np.append(np.maximum(fmr, floor), 1.0), np.append(tar, tar[-1]), where="post", color=_BLUE, linewidth=1.8)
    quoted = [(float(far), rate) for far, rate in result["tar_at_far"].items()]
    axes.plot(*zip(*quoted, strict=True), "o", color=_VERMILION, markersize=6, label="oracle threshold")
    for far, rate in quoted:
        axes.annotate(f"{rate:.4f}", (far, rate), xytext=(6, -13), textcoords="offset points", color=_INK, fontsize=8)
    shipped = result["shipped"]
    if shipped is not None:
        point = (max(shipped["fmr"], floor), 1 - shipped["fnmr"])
        axes.plot(*point, "D", color=_INK, markersize=6, fillstyle="none", label="shipped threshold")
    axes.set_xscale("log")
    axes.set_xlim(floor, 1.0)
    lowest = min([rate for _, rate in quoted] + ([1 - shipped["fnmr"]] if shipped else []))
    axes.set_ylim(max(0.0, 1 - 1.6 * max(1 - lowest, 0.01)), 1.0 + 0.05 * max(1 - lowest, 0.01))
    _legend(axes, "lower right")
    return _svg(figure, "roc", "ROC curve: true accept rate over false accept rate")


def det_svg(result: Mapping[str, Any]) -> str:
    """The DET curve: both error rates on normal-deviate (probit) axes.

    Args:
        result: `VerificationResult.to_dict`.

    Raises:
        DependencyError: Matplotlib is not installed.
    """
    curve = result["curves"]["roc"]
    fmr, fnmr = np.array(curve["fmr"]), np.array(curve["fnmr"])
    inside = (fmr > 0) & (fmr < 1) & (fnmr > 0) & (fnmr < 1)
    figure, axes = _canvas("False match rate", "False non-match rate")
    low, high = float(deviates(_RATES[0])), float(deviates(0.5))
    axes.plot([low, high], [low, high], color=_INK, linewidth=0.8, linestyle=":", label="equal rates")
    if inside.any():
        axes.plot(
            deviates(fmr[inside]), deviates(fnmr[inside]), ".-", color=_BLUE, linewidth=1.6, markersize=3, label="DET"
        )
    shipped = result["shipped"]
    if shipped is not None and 0 < shipped["fmr"] < 1 and 0 < shipped["fnmr"] < 1:
        axes.plot(
            float(deviates(shipped["fmr"])),
            float(deviates(shipped["fnmr"])),
            "D",
            color=_INK,
            markersize=6,
            fillstyle="none",
            label="shipped threshold",
        )
    ticks, labels = deviates(_RATES), [f"{100 * rate:g} %" for rate in _RATES]
    axes.set_xticks(ticks, labels)
    axes.set_yticks(ticks, labels)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    _legend(axes, "upper right")
    return _svg(figure, "det", "DET curve: false non-match rate over false match rate")


def histogram_svg(result: Mapping[str, Any]) -> str:
    """Similarities of mated and non-mated pairs, with the shipped threshold.

    Args:
        result: `VerificationResult.to_dict`.

    Raises:
        DependencyError: Matplotlib is not installed.
    """
    data = result["curves"]["histogram"]
    figure, axes = _canvas("Similarity (cosine)", "Share of pairs in bin")
    for name, label, color, style in (
        ("nonmated", "non-mated", _VERMILION, "--"),
        ("mated", "mated", _BLUE, "-"),
    ):
        share = np.array(data[name], dtype=float) / max(sum(data[name]), 1)
        axes.stairs(share, data["edges"], fill=True, color=color, alpha=0.25)
        axes.stairs(share, data["edges"], color=color, linewidth=1.5, linestyle=style, label=label)
    if result["shipped"] is not None:
        axes.axvline(
            result["shipped"]["threshold"], color=_INK, linewidth=1.4, linestyle="-.", label="shipped threshold"
        )
    axes.set_xlim(data["edges"][0], data["edges"][-1])
    axes.set_ylim(bottom=0)
    _legend(axes, "best")
    return _svg(figure, "hist", "Histogram of the similarities of mated and non-mated pairs")


def _canvas(across: str, up: str, *, panels: int = 1) -> tuple[Any, Any]:
    """A figure, and the first of its panels, which stand side by side."""
    figures = require("matplotlib.figure", extra="plots", why="a report with plots")
    figure = figures.Figure(figsize=(5.2, 3.9), layout="constrained")
    return figure, _axes(figure, across, up, place=(1, panels, 1))


def _axes(figure: Any, across: str, up: str, *, place: tuple[int, int, int]) -> Any:
    axes = figure.add_subplot(*place, facecolor="none")
    axes.set_xlabel(across, color=_INK)
    axes.set_ylabel(up, color=_INK)
    axes.tick_params(which="both", colors=_INK, labelsize=8)
    axes.grid(visible=True, color=_INK, alpha=0.15, linewidth=0.6)
    axes.set_axisbelow(True)
    for name, spine in axes.spines.items():
        spine.set_color(_INK)
        spine.set_visible(name in ("left", "bottom"))
    return axes


def _legend(axes: Any, place: str) -> None:
    axes.legend(loc=place, frameon=False, labelcolor=_INK, fontsize=8)


def png(figure: Any) -> bytes:
    """A figure as a PNG on white."""
    require("matplotlib.backends.backend_agg", extra="plots", why="a plot").FigureCanvasAgg(figure)
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=160, facecolor="white", metadata={"Software": None})
    return sink.getvalue()


def _svg(figure: Any, prefix: str, title: str) -> str:
    require("matplotlib.backends.backend_svg", extra="plots", why="a report with plots").FigureCanvasSVG(figure)
    sink = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(sink, format="svg", transparent=True, metadata=nothing)
    text = sink.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
    names = dict.fromkeys(re.findall(r'\bid="([^"]+)"', text))
    fresh = {name: f"{prefix}-{number}" for number, name in enumerate(names)}
    text = re.sub(r'\bid="([^"]+)"', lambda found: f'id="{fresh[found[1]]}"', text)
    text = re.sub(r"#([\w.-]+)(?=[\")])", lambda found: f"#{fresh.get(found[1], found[1])}", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)
