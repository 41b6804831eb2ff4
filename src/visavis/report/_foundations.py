"""The later sections of a case report: calibration, groups, models, software, hashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from visavis.protocols.report._words import count, table, text
from visavis.report.sentences import group_words, percentage

_NAMED = 5
"""Groups that the main part names; all are in the annex."""


def foundations(record: Mapping[str, Any]) -> str:
    """What the answer rests on: groups, calibration, models, software and the hashes of the pictures."""
    return "\n".join(
        part for part in (_groups(record), _calibration(record), _models(record), _software(record)) if part
    )


def annex(record: Mapping[str, Any]) -> str:
    """The hashes of the pictures, and every group."""
    return "\n".join(part for part in (_hashes(record), _every_group(record)) if part)


def _section(title: str, *parts: str, kind: str = "") -> str:
    return f"<section{kind}><h2>{title}</h2>{''.join(parts)}</section>"


def _groups(record: Mapping[str, Any]) -> str:
    groups = record["groups"]
    if groups is None:
        return ""
    named = _ordered([group for group in groups["groups"] if group["supported"]])[:_NAMED]
    threshold, target = groups["thresholds"][groups["row"]], groups["rates"][groups["row"]]
    lead = (
        f"<p>False matches among people of one group at the threshold {threshold:.3f}, which keeps "
        f"{percentage(target)} for random impostors. {text(groups['population'])}.</p>"
    )
    worst = groups["worst"]
    lead += (
        "<p>No group has ten false matches at this threshold, so none can be called the worst.</p>"
        if worst is None
        else f"<p>Worst group: <b>{text(worst)}</b>.</p>"
    )
    children = groups["children"]
    apart = f"<p><b>Children under 13, apart</b>: {text(group_words(children))}.</p>"
    body = _group_table(named, worst) if named else ""
    return _section("The threshold within groups of people", lead, body, apart)


def _every_group(record: Mapping[str, Any]) -> str:
    groups = record["groups"]
    if groups is None:
        return ""
    rows = _ordered([group for group in groups["groups"] if group["supported"]])
    rows += _ordered([group for group in groups["groups"] if not group["supported"]])
    words = (
        "In grey italics: groups with fewer than ten false matches; no claim rests on their rate. People are counted "
        f"as pictures; {count(groups['removed'], 'duplicate')} by face removed before. {text(groups['rule'])}."
    )
    return _section(
        "Annex: all groups",
        _group_table(rows, groups["worst"]),
        "<h3>Children under 13</h3>",
        _group_table([groups["children"]], None),
        f'<p class="soft"><small>{words}</small></p>',
        kind=' class="annex"',
    )


def _ordered(groups: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(groups, key=lambda group: -group["rate"])


def _group_table(groups: Sequence[Mapping[str, Any]], worst: str | None) -> str:
    top = "".join(
        f'<th scope="col">{cell}</th>'
        for cell in ("Group", "People", "Pairs", "False matches", "False match rate", "95 % interval")
    )
    body = ""
    for group in groups:
        kind = "" if group["supported"] else ' class="small"'
        if group["name"] == worst:
            kind = ' class="worst"'
        rate, interval = percentage(group["rate"]), f"{percentage(group['low'])} to {percentage(group['high'])}"
        if not group["pairs"]:
            rate, interval = "-", "-"
        cells = (f"{group['people']:,}", f"{group['pairs']:,}", f"{group['events']:,}", rate, interval)
        body += f'<tr{kind}><th scope="row">{text(group["name"])}{" (worst)" if group["name"] == worst else ""}</th>'
        body += "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
    return f'<div class="wide groups"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _calibration(record: Mapping[str, Any]) -> str:
    calibration = record["calibration"]
    rows = [
        ("Name", calibration["name"]),
        ("Population", calibration["population"]),
        ("People", f"{calibration['people']:,}" if calibration["people"] else "not recorded"),
        ("Template space", calibration["space"]),
        ("Caution", calibration["caution"]),
        *((name.replace("_", " ").capitalize(), _flat(value)) for name, value in calibration["provenance"].items()),
    ]
    realised = [
        [
            f"{text(one['data'])}<br><small>role {text(one['role'])}</small>",
            percentage(one["fmr"]),
            f"{percentage(one['events'] / one['pairs']) if one['pairs'] else '-'}<br><small>{one['events']:,} of "
            f"{one['pairs']:,} pairs, {one['people']:,} people</small>",
            f"{percentage(one['low'])} to {percentage(one['high'])}<br><small>{_within(one)}</small>",
        ]
        for one in calibration["realised"]
    ]
    more = ""
    if realised:
        head = ["Data", "Target", "Realised false match rate", "Predicted, 95 %"]
        more = f'<div class="dense"><h3>On people it was not fitted on</h3>{table(head, realised)}</div>'
    return _section("Calibration, and where it comes from", definitions(rows), more)


def _within(one: Mapping[str, Any]) -> str:
    """Whether a realised rate kept to its prediction."""
    rate = one["events"] / one["pairs"] if one["pairs"] else 0.0
    return (
        "realised above it" if rate > one["high"] else "realised below it" if rate < one["low"] else "realised within"
    )


def definitions(rows: Sequence[tuple[str, Any]]) -> str:
    """Names and plain values as a definition list."""
    return f"<dl>{''.join(f'<dt>{text(name)}</dt><dd>{text(value)}</dd>' for name, value in rows)}</dl>"


def _flat(value: Any) -> str:
    """A nested value of a record in one line."""
    if isinstance(value, Mapping):
        return "; ".join(f"{name.replace('_', ' ')}: {_flat(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_flat, value)) or "none"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _models(record: Mapping[str, Any]) -> str:
    parts = []
    for title, name, card in (
        ("Recogniser", record["recogniser"]["name"], record["recogniser"]["card"]),
        ("Detector", record["detector"]["tag"], record["detector"]["card"]),
    ):
        rows: list[tuple[str, Any]] = [("Name" if title == "Recogniser" else "Weights and working size", name)]
        if card is None:
            rows.append(("Card", "none: nothing is known of its weights"))
        else:
            rows += [
                ("Card", card["name"]),
                ("sha256", card["sha256"] or "computed on loading"),
                ("Licence", card["licence"]),
                ("Use", card["use"]),
                ("Trained on", card["trained_on"]),
                ("Input", _flat(card["contract"])),
                ("Quality limits", _flat(card["quality_limits"]) or "none"),
                ("Paper", card["paper"] or "none named"),
            ]
            rows += [("Note", note) for note in card["notes"]]
        parts.append(f"<h3>{title}</h3>{definitions(rows)}")
    return _section("Models", *parts)


def _software(record: Mapping[str, Any]) -> str:
    software = record["software"]
    rows = [
        ("visavis", f"{software['visavis']}; this report: {software['report_by']}"),
        ("Engine", f"{software['engine']} {software['engine_version']}, precision {software['precision']}"),
        ("Python, NumPy, OpenCV", f"{software['python']}, {software['numpy']}, {software['opencv']}"),
        ("Machine", f"{software['machine']}, {software['system']}"),
        ("Form of the record", record["schema"]),
    ]
    return _section("Software", definitions(rows))


def _hashes(record: Mapping[str, Any]) -> str:
    rows = [
        [
            f"{word}: {text(entry['name'])}",
            f"<code>{escape(entry['sha256'])}</code><br><small>{entry['size']:,} bytes of "
            f"{'the file' if entry['kind'] == 'file' else 'its pixels'}</small>",
        ]
        for key, word in (("left", "First"), ("right", "Second"))
        for entry in record[key]["pictures"]
    ]
    return _section("Hashes of the pictures", table(["Picture", "sha256"], rows))
