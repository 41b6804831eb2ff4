"""The error-versus-discard plot of a stored result: as SVG, PNG, or an HTML page with its figures."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

from visavis.errors import UsageError
from visavis.io.atomic import write_output
from visavis.protocols.report._style import STYLE
from visavis.protocols.report._words import between, count, number, percent, table, text
from visavis.protocols.report.plots import LINES, _canvas, _legend, _svg, png

SUFFIXES = (".html", ".png", ".svg")
_FUSED = "quality"
_DRAWN_TO = 0.4


def discard_svg(result: Mapping[str, Any]) -> str:
    """FNMR over the discarded share: the fused score, each measure, and the flat line of random.

    Args:
        result: `QualityResult.to_dict`.

    Raises:
        UsageError: Not an error-versus-discard result.
        DependencyError: Matplotlib is not installed.
    """
    return _svg(_figure(result), "edc", "Error-versus-discard curves: false non-match rate over discarded share")


def discard_png(result: Mapping[str, Any]) -> bytes:
    """The same plot as a PNG on white.

    Args:
        result: `QualityResult.to_dict`.

    Raises:
        UsageError: Not an error-versus-discard result.
        DependencyError: Matplotlib is not installed.
    """
    return png(_figure(result))


def discard_html(result: Mapping[str, Any]) -> str:
    """A self-contained page: plot, figures with intervals, what was run and what it does not say.

    Args:
        result: `QualityResult.to_dict`, or the same read back from JSON.

    Raises:
        UsageError: Not an error-versus-discard result.
        DependencyError: Matplotlib is not installed.
    """
    plot = discard_svg(result)
    title = f"Quality: {text(result['model'])}"
    notes = "".join(f"<p>{text(note)}</p>" for note in result["notes"])
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<header><h1>{title}</h1>"
        f'<p class="soft">{count(result["mated"], "mated pair")} and {result["nonmated"]:,} non-mated of '
        f"{result['people']:,} people on {count(result['images'], 'picture')}; {result['failed']:,} pairs failed. "
        f"Threshold {number(result['threshold'], 4)}, fixed once at fmr={result['at']:g}. Intervals are "
        f"{100 * result['level']:g} % over {result['resamples']:,} resamples of people.</p></header>"
        f'<div class="notes">{notes}</div>'
        f"<figure>{plot}<figcaption>False non-match rate of the mated pairs that remain when those of lowest quality "
        "are left out; a pair has the quality of its worse face.</figcaption></figure>"
        f"<h2>Figures</h2>{_table(result)}"
        f'<p class="soft">Roles {text(dict(result["roles"]))}; ledger {text(result["ledger"][:12])}; space '
        f"{text(result['space'])}; {text(result['made_by']['engine'])} {text(result['made_by']['precision'])}.</p>"
        "\n</body>\n</html>\n"
    )


def write_discard(path: str | Path, result: Mapping[str, Any]) -> Path:
    """Write the plot or the page whole or not at all; the suffix decides: .html, .png or .svg.

    Args:
        path: Where to; the folder must exist.
        result: `QualityResult.to_dict`.

    Raises:
        UsageError: Another suffix, not such a result, or the path cannot be written.
        DependencyError: Matplotlib is not installed.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"the curves are written as {', '.join(SUFFIXES)}; got {Path(path).name!r}")
    if suffix == ".png":
        return write_output(path, discard_png(result))
    return write_output(path, (discard_html(result) if suffix == ".html" else discard_svg(result)).encode())


def _figure(result: Mapping[str, Any]) -> Any:
    if result.get("kind") != "quality-discard":
        raise UsageError(
            f"the curves are drawn from a result of kind 'quality-discard'; got kind {result.get('kind')!r}"
        )
    figure, axes = _canvas("Discarded share of mated pairs", "False non-match rate of the others")
    figure.set_size_inches(6.4, 4.2)
    before = result["measures"][_FUSED]["fnmr"]["0"]
    axes.axhline(before, color="#010203", linewidth=1.0, linestyle=(0, (1, 3)), label="random")
    if "oracle" in result["curves"]:  # results stored before there was one are still drawn
        oracle = result["curves"]["oracle"]
        axes.step(oracle["discarded"], oracle["fnmr"], where="post", color="#7b7b7b", linewidth=0.8, label="oracle")
    for name, (color, style) in zip(result["measures"], cycle(LINES), strict=False):
        curve = result["curves"][name]
        axes.step(
            curve["discarded"],
            curve["fnmr"],
            where="post",
            color=color,
            linestyle=style,
            linewidth=2.4 if name == _FUSED else 1.3,
            label="fused" if name == _FUSED else name,
        )
    axes.set_xlim(0, _DRAWN_TO)
    axes.set_ylim(bottom=0)
    _legend(axes, "best")
    return figure


def _rows(result: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    named = [("fused" if name == _FUSED else name, row) for name, row in result["measures"].items()]
    controls = (("failed faces alone", "acquisition"), ("oracle", "oracle"), ("random", "random"))
    return [*named, *((name, result[key]) for name, key in controls if key in result)]


def _table(result: Mapping[str, Any]) -> str:
    shares = list(result["random"]["fnmr"])
    head = ["measure", *(f"FNMR, {100 * float(share):g} % gone" for share in shares)]
    head += [f"mean to {100 * result['limit']:g} %", "against random", "mean, threshold set anew"]
    rows = []
    for name, row in _rows(result):
        cells = [
            f"{percent(row['fnmr'][share])}<br><small>{between(row['fnmr_interval'][share])}</small>"
            for share in shares
        ]
        cells.append(f"{percent(row['pauc'])}<br><small>{between(row['pauc_interval'])}</small>")
        low, high = row["difference_interval"]
        cells.append(f"{100 * row['difference']:+.2f}<br><small>{100 * low:+.2f} to {100 * high:+.2f} points</small>")
        cells.append(_anew(row))
        rows.append([text(name), *cells])
    return table(head, rows)


def _anew(row: Mapping[str, Any]) -> str:
    if "recomputed_pauc" not in row:
        return ""
    return f"{percent(row['recomputed_pauc'])}<br><small>{between(row['recomputed_pauc_interval'])}</small>"
