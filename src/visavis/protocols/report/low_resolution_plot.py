"""The plot of low-resolution results: what is found and what is falsely matched, over the size of the face."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

from visavis.errors import UsageError
from visavis.io.atomic import write_output
from visavis.protocols.report.plots import LINES, _axes, _canvas, _legend, _svg, png
from visavis.protocols.sized_pictures import FULL

SUFFIXES = (".png", ".svg")
_PANELS = (
    ("rank.1", "Rank-1 rate, full gallery", False),
    ("fmr_both", "False match rate, both faces of this size (log)", True),
)


def write_low_resolution(path: str | Path, results: Mapping[str, Mapping[str, Any]]) -> Path:
    """Draw results of one run or several, whole or not at all; the suffix decides: .png or .svg.

    Args:
        path: Where to; the folder must exist.
        results: `ProtocolResult.to_dict` of kind ``low-resolution``, by what each is called.

    Raises:
        UsageError: Another suffix, no such result, or the path cannot be written.
        DependencyError: Matplotlib is not installed.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"the plot is written as {' or '.join(SUFFIXES)}; got {Path(path).name!r}")
    figure = _figure(results)
    if suffix == ".png":
        return write_output(path, png(figure))
    return write_output(path, _svg(figure, "sizes", "Rates over the size of the face").encode())


def _figure(results: Mapping[str, Mapping[str, Any]]) -> Any:
    for result in results.values():
        if result.get("kind") != "low-resolution":
            raise UsageError(f"drawn are results of kind 'low-resolution'; got kind {result.get('kind')!r}")
    sizes = list(dict.fromkeys(name for result in results.values() for name in result["curves"]["sizes"]))
    sizes.sort(key=lambda name: (name == FULL, int(name) if name != FULL else 0))
    figure, left = _canvas("Pixels of the face", _PANELS[0][1], panels=len(_PANELS))
    right = _axes(figure, "Pixels of the face", _PANELS[1][1], place=(1, len(_PANELS), 2))
    figure.set_size_inches(9.6, 4.2)
    for axes, (name, _, logarithmic) in zip((left, right), _PANELS, strict=True):
        for (called, result), (color, style) in zip(results.items(), cycle(LINES), strict=False):
            values = _points(result, name, sizes, logarithmic=logarithmic)
            if not all(map(math.isnan, values)):
                axes.plot(
                    range(len(sizes)), values, marker="o", markersize=3, color=color, linestyle=style, label=called
                )
        axes.set_xticks(range(len(sizes)), sizes)
        if logarithmic:
            axes.set_yscale("log")
        else:
            axes.set_ylim(0, 1)
            _legend(axes, "best")
    return figure


def _points(result: Mapping[str, Any], name: str, sizes: list[str], *, logarithmic: bool) -> list[float]:
    """A value for each size: NaN, at which the line breaks, where there is none, or a zero on a logarithmic axis.

    Of the full size both faces are full, so that the figure of one recogniser has no name of its own there.
    """
    figures, values = result["figures"], []
    for size in sizes:
        figure = figures.get(f"{name}@{size}")
        if figure is None and size == FULL:
            figure = figures.get(f"{name.removesuffix('_both')}@{size}")
        missing = figure is None or figure["value"] is None or (logarithmic and not figure["value"])
        values.append(math.nan if missing else figure["value"])
    return values
