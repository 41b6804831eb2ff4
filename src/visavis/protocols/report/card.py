"""One self-contained HTML page about a verification result."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visavis.errors import UsageError
from visavis.io.atomic import write_output
from visavis.protocols.report._style import STYLE
from visavis.protocols.report._words import between, count, few, number, percent, table, text
from visavis.protocols.report.plots import det_svg, histogram_svg, roc_svg


def report_html(result: Mapping[str, Any]) -> str:
    """The page: figures with intervals, who they are about, thresholds, failures, plots, limits.

    Args:
        result: `VerificationResult.to_dict`, or the same read back from JSON.

    Returns:
        An HTML document that fetches nothing: plots are inline SVG, strings are escaped.

    Raises:
        UsageError: Not a verification result.
        DependencyError: Matplotlib is not installed.
    """
    if result.get("kind") != "verification" or "curves" not in result:
        raise UsageError(
            "a report is drawn from a stored verification result (kind 'verification', with curves); "
            f"got kind {result.get('kind')!r}"
        )
    title = f"Verification: {text(result['model'])}"
    sections = (_head, _figures, _notes, _thresholds, _populations, _failures, _plots, _made_by, _limits)
    body = "\n".join(section(result) for section in sections)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def write_report(path: str | Path, result: Mapping[str, Any]) -> Path:
    """Write `report_html` so that the path holds the old file or the whole new one, never a part.

    Args:
        path: Where to; the folder must exist.
        result: `VerificationResult.to_dict`.

    Returns:
        The path.

    Raises:
        UsageError: Not a verification result, or the path cannot be written.
        DependencyError: Matplotlib is not installed.
    """
    return write_output(path, report_html(result).encode())


def _head(result: Mapping[str, Any]) -> str:
    return (
        f"<header><h1>Verification: {text(result['model'])}</h1>"
        f'<p class="soft">{count(result["pairs"], "pair")} ({result["mated"]:,} mated, {result["nonmated"]:,} '
        f"non-mated) of {result['people']:,} people on {count(result['images'], 'picture')}. Intervals are "
        f"{100 * result['level']:g} %, over {result['resamples']:,} resamples of people unless stated otherwise. "
        "A failed picture is a rejection in every figure.</p></header>"
    )


def _figures(result: Mapping[str, Any]) -> str:
    shipped = result["shipped"]
    tiles = [
        ("Accuracy over folds", percent(result["accuracy"]), between(result["accuracy_interval"]), "accuracy"),
        ("Equal error rate", percent(result["eer"]), between(result["eer_interval"]), "eer"),
    ]
    if shipped is not None:
        tiles = [
            (
                f"{name} at the shipped threshold",
                percent(shipped[key]),
                between(shipped[f"{key}_interval"]),
                f"shipped.{key}",
            )
            for name, key in (("False match rate", "fmr"), ("False non-match rate", "fnmr"))
        ] + tiles
    cells = "".join(
        f'<div class="tile"><span>{name}</span><b>{value}</b><span>{interval}{few(result, figure)}</span></div>'
        for name, value, interval, figure in tiles
    )
    rest = (
        f"Accuracy: standard deviation over folds {percent(result['accuracy_std'])}; over pairs without a failed side "
        f"{percent(result['accuracy_without_failures'])}. Area under the ROC curve {number(result['auc'], 5)}; "
        f"d&#8242; {number(result['dprime'], 2)}."
    )
    return f'<section><div class="tiles">{cells}</div><p class="soft">{rest}</p></section>'


def _notes(result: Mapping[str, Any]) -> str:
    if not result["notes"]:
        return ""
    return '<aside class="notes">' + "".join(f"<p>{text(note)}</p>" for note in result["notes"]) + "</aside>"


def _thresholds(result: Mapping[str, Any]) -> str:
    shipped = result["shipped"]
    if shipped is None:
        row = ["Shipped", "none: this model has no calibration, so it cannot decide", "-", "-", "-"]
    else:
        row = [
            f"Shipped<br><small>{text(shipped['label'])}</small>",
            number(shipped["threshold"]),
            _rate(result, "fmr"),
            _rate(result, "fnmr"),
            percent(1 - shipped["fnmr"]),
        ]
    rows = [row]
    for far, tar in result["tar_at_far"].items():
        events = result["counts"][f"tar_at_far.{far}"]
        rows.append(
            [
                f"{text(result['tar_at_far_label']).capitalize()}<br><small>for a false match rate of at most "
                f"{percent(float(far))}</small>",
                number(result["oracle_thresholds"][far]),
                f"{percent(events['false matches'] / result['nonmated'])}<br>"
                f"<small>{events['false matches']:,} of {result['nonmated']:,}</small>",
                f"{percent(1 - tar)}<br><small>{events['false non-matches']:,} of {result['mated']:,}</small>",
                f"{percent(tar)}<br><small>{between(result['tar_at_far_intervals'][far])}</small>"
                + few(result, f"tar_at_far.{far}"),
            ]
        )
    return (
        "<section><h2>At which threshold</h2>"
        + table(["", "Threshold (cosine)", "False match rate", "False non-match rate", "True accept rate"], rows)
        + '<p class="soft"><small>An oracle threshold is read off these very pairs, with their answers known; nobody '
        "who uses the model has it. The shipped threshold was fixed before, on other people.</small></p></section>"
    )


def _rate(result: Mapping[str, Any], key: str) -> str:
    shipped = result["shipped"]
    return (
        f"{percent(shipped[key])}<br><small>{shipped[f'{key}_events']:,} of {shipped[f'{key}_trials']:,}; "
        f"{between(shipped[f'{key}_interval'])} ({text(shipped[f'{key}_method'])})</small>"
        + few(result, f"shipped.{key}")
    )


def _populations(result: Mapping[str, Any]) -> str:
    folds = result["folds"]
    roles = table(["Role in the ledger", "People"], [[text(role), f"{n:,}"] for role, n in result["roles"].items()])
    spread = [rate for rate in folds["accuracy"] if rate is not None]
    facts = [
        ["Folds", f"{folds['count']}: {text(folds['source'])}"],
        ["Pairs in no fold", f"{folds['dropped']:,}"],
        ["People in two folds", f"{folds['shared_people']:,}"],
        ["Accuracy of a fold", f"{percent(min(spread))} to {percent(max(spread))}" if spread else "undefined"],
    ]
    return (
        f'<section><h2>Who the figures are about</h2><div class="two">{roles}{table([], facts)}</div>'
        f'<p class="soft"><small>People ledger, sha256 <code>{text(result["ledger"])}</code></small></p></section>'
    )


def _failures(result: Mapping[str, Any]) -> str:
    fta = result["fta"]
    lead = (
        f"<p>{count(fta['events'], 'picture')} of {fta['trials']:,} gave no template: failure to acquire "
        f"{percent(fta['rate'])} ({between(fta['interval'])}, {text(fta['method'])}). "
        f"{count(result['failed'], 'pair')} with a failed side, counted as rejected.</p>"
    )
    reasons = [[f"<code>{text(reason)}</code>", f"{n:,}"] for reason, n in result["failed_images"].items()]
    return f"<section><h2>Failures</h2>{lead}{table(['Reason', 'Pictures'], reasons) if reasons else ''}</section>"


def _plots(result: Mapping[str, Any]) -> str:
    drawn = (
        (roc_svg(result), "ROC. Each step is an operating point of these pairs; dots are the quoted oracle points."),
        (det_svg(result), "DET. Normal-deviate axes: two normal distributions give a straight line."),
        (histogram_svg(result), "Similarities, each side in shares of its own pairs; failed pairs have none."),
    )
    figures = "".join(f"<figure>{_inline(svg)}<figcaption>{words}</figcaption></figure>" for svg, words in drawn)
    return f'<section><h2>Curves</h2><div class="plots">{figures}</div></section>'


def _inline(svg: str) -> str:
    """SVG as HTML wants it: no namespaces, so that the page holds no address at all."""
    return re.sub(r'\s(?:xmlns(?::\w+)?|version)="[^"]*"', "", svg).replace("xlink:href", "href")


def _made_by(result: Mapping[str, Any]) -> str:
    speed = result["images_per_second"]
    rows = [
        ["Model", text(result["model"])],
        ["Template space", f"<code>{text(result['space'])}</code>"],
        *(
            [text(name).replace("_", " ").capitalize(), text(value)]
            for name, value in result["made_by"].items()
            if name != "model"
        ),
        ["Time", "not taken" if result["seconds"] is None else f"{result['seconds']:,.1f} s, {speed:,.1f} pictures/s"],
        ["Seed", f"{result['seed']} (folds and resamples)"],
    ]
    return f"<section><h2>How it was computed</h2>{table([], rows)}</section>"


def _limits(result: Mapping[str, Any]) -> str:
    bound = percent(min(1.0, 3 / result["nonmated"]))
    items = (
        f"Rare false matches. {count(result['nonmated'], 'non-mated pair')} cannot show a rate below about {bound} "
        "(three over the number of pairs), even with no false match at all.",
        "Other people and other pictures. The figures hold for people and cameras like these; age, pose, light and "
        "compression elsewhere may do worse.",
        "Equal treatment. Nothing here compares groups of people.",
        "Search. In a gallery of G people one probe is compared G times; false matches add up.",
        "Presentation attacks. No printed, replayed, masked or generated face was shown to the system.",
        "Everything outside the interval. It covers which people were drawn, not wrong labels, other training runs or "
        "a model that has met these people in training.",
    )
    return (
        "<section><h2>What this does not prove</h2><ul>"
        + "".join(f"<li>{item}</li>" for item in items)
        + "</ul></section>"
    )
