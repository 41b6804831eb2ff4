"""One comparison as one self-contained HTML page."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from visavis.explain.overlay import AGAINST, FOR
from visavis.explain.sentence import named
from visavis.io.encode import to_bytes
from visavis.protocols.report._words import number, table, text
from visavis.report._foundations import annex, foundations
from visavis.report._style import STYLE
from visavis.report.axis import axis_svg
from visavis.report.pictures import CasePictures, Pixels
from visavis.report.sentences import TITLES, percentage, small_rate
from visavis.types import RegionEffect

_SIDES = (("left", "First"), ("right", "Second"))


def case_html(record: Mapping[str, Any], pictures: CasePictures) -> str:
    """The page: the answer first, then what it rests on, then what it does not prove and how to repeat it.

    Args:
        record: Of `case_record`.
        pictures: Of `case_pictures`.

    Returns:
        An HTML document that fetches nothing and runs nothing: pictures are data in it, every string is escaped.
    """
    decision = record["decision"]
    title = f"visavis: {TITLES[decision['answer']]}"
    parts = (
        _answer(record),
        _why_not(record),
        _tiles(record),
        _warnings(record),
        _axis(record),
        _faces(record, pictures),
        _regions(record),
        _wholes(record, pictures),
        _quality(record),
        _second(record),
        foundations(record),
        _limits(record),
        _repeat(record),
        annex(record),
    )
    body = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        f'<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body class="tone-{decision["answer"]}">\n'
        f"<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def section(title: str, *parts: str) -> str:
    """A titled section that stays on one printed page where it can; nothing when there is nothing in it."""
    inside = "".join(parts)
    return f'<section class="keep"><h2>{title}</h2>{inside}</section>' if inside else ""


def _answer(record: Mapping[str, Any]) -> str:
    decision = record["decision"]
    words = decision["words"]
    groups = f"<p>{text(words['groups'])}</p>" if words["groups"] else ""
    return (
        f'<header class="answer"><p class="kicker">Face comparison at {text(point(decision["at"]))}, '
        f"{text(when(record))}</p><h1>{TITLES[decision['answer']]}</h1>"
        f'<p class="lead">{text(words["answer"])}</p><p>{text(words["rate"])}</p>{groups}'
        f"<p>{text(words['llr'])}</p></header>"
    )


def when(record: Mapping[str, Any]) -> str:
    """The time of a record, as people write it: ``2026-11-25 06:55 UTC``."""
    return f"{record['time'][:16].replace('T', ' ')} UTC"


def point(at: Mapping[str, Any]) -> str:
    """An operating point as it is written on the command line."""
    return f"fmr={at['fmr']:g}{',worst-group' if at['worst_group'] else ''}"


def _why_not(record: Mapping[str, Any]) -> str:
    reasons = record["decision"]["reasons"]
    return f'<aside class="reasons"><b>Why there is no answer</b>{bullets(reasons)}</aside>' if reasons else ""


def bullets(items: Sequence[str]) -> str:
    """Plain strings as a list."""
    return f"<ul>{''.join(f'<li>{text(item)}</li>' for item in items)}</ul>"


def _tiles(record: Mapping[str, Any]) -> str:
    decision = record["decision"]
    rate = decision["fmr"]
    llr = decision["llr"]
    tiles = [
        ("Similarity", number(decision["similarity"]), "cosine, -1 to 1; higher is closer"),
        ("Threshold", number(decision["threshold"]), f"at {point(decision['at'])}{_band(decision['band'])}"),
        (
            "False match rate",
            small_rate(decision["at"]["fmr"] if rate is None else rate["rate"]),
            decision["population"]
            if rate is None
            else f"{100 * rate['level']:g} %: {percentage(rate['low'])} to {percentage(rate['high'])}; "
            f"{rate['population']}",
        ),
        (
            "log10 likelihood ratio",
            "none" if llr is None else f"{llr:+.2f}",
            decision["words"]["verbal"]
            or ("does not hold here" if record["calibration"]["llr"] else "the calibration has no curve for it"),
        ),
    ]
    cells = "".join(
        f'<div class="tile"><span>{text(name)}</span><b>{text(value)}</b><span>{text(more)}</span></div>'
        for name, value, more in tiles
    )
    return f'<div class="tiles">{cells}</div>'


def _band(band: Sequence[float] | None) -> str:
    return "" if band is None else f"; inconclusive from {band[0]:.3f} up to {band[1]:.3f}"


def _axis(record: Mapping[str, Any]) -> str:
    broad = axis_svg(record).replace('class="axis"', 'class="axis broad"', 1)
    slim = axis_svg(record, width=340).replace('class="axis"', 'class="axis slim"', 1)
    words = (
        "The purple stripe is where no answer is given: the interval of the false match rate allows either. Below, "
        "where each population reaches a false match rate: the further right, the easier its members are confused."
    )
    return section("Where the similarity stands", broad, slim, f'<p class="soft"><small>{words}</small></p>')


def picture(pixels: Pixels, alt: str, *, photo: bool = False) -> str:
    """A picture as data in the page: PNG, or JPEG for photos."""
    kind = "jpeg" if photo else "png"
    data = base64.b64encode(to_bytes(pixels, suffix=f".{kind}", quality=85)).decode()
    height, width = pixels.shape[:2]
    return f'<img src="data:image/{kind};base64,{data}" alt="{text(alt)}" width="{width}" height="{height}">'


def _faces(record: Mapping[str, Any], pictures: CasePictures) -> str:
    figures = []
    for side, (key, word) in enumerate(_SIDES):
        name = _short(record[key]["pictures"][pictures.rows[side]]["name"])
        alt = f"{word} face, aligned, from {name}"
        figures.append(
            f"<figure>{picture(pictures.faces[side], alt)}<figcaption>{word} face: {text(name)}</figcaption></figure>"
        )
    evidence = record["evidence"]
    if pictures.maps is None or evidence is None:
        faces = f'<div class="pair plain">{"".join(figures)}</div>'
        return section("The two faces, as the recogniser sees them", faces)
    figures += [
        f"<figure>{picture(pictures.maps[side], _spoken(word, evidence))}<figcaption>What moved the similarity in the "
        f"{word.lower()} face</figcaption></figure>"
        for side, (_, word) in enumerate(_SIDES)
    ]
    key = (
        f'<p class="key"><span><i style="background:rgb{FOR}"></i>spoke for a match: hiding it lowers the '
        f'similarity</span><span><i style="background:rgb{AGAINST}"></i>spoke against</span>'
        "<span>grey: no matter</span></p>"
    )
    lead = f"<p>{text(evidence['sentence'])}</p>" if evidence["sentence"] else ""
    how = (
        f"Method: {text(evidence['method'])}, {evidence['passes']:,} passes through the network; both maps have one "
        f"colour scale, full colour is {pictures.scale:.2g}. Explained similarity: {evidence['similarity']:.3f}."
    )
    if any(len(record[key]["pictures"]) > 1 for key, _ in _SIDES):
        how += (
            " The sentence and the maps are about these two pictures alone and the threshold of single pictures; the "
            f"decision is on the pooled templates of all, whose similarity is {record['decision']['similarity']:.3f}."
        )
    shown = f'<div class="pair">{"".join(figures)}</div>{key}<p class="soft"><small>{how}</small></p>'
    return section("The two faces, and what carried the decision", lead, shown)


def _spoken(word: str, evidence: Mapping[str, Any]) -> str:
    return f"Map over the {word.lower()} face. {evidence['sentence']}".strip()


def _regions(record: Mapping[str, Any]) -> str:
    evidence = record["evidence"]
    if evidence is None or not evidence["regions"]:
        return ""
    effects = sorted(evidence["regions"], key=lambda region: -abs(region["alone"]))
    largest = max(max(abs(region["alone"]) for region in effects), 1e-9)
    rows = []
    for region in effects:
        clear = named(RegionEffect(*(region[name] for name in ("name", "left", "right", "both", "spread"))))
        share = 100 * abs(region["alone"]) / largest
        bar = f'<span class="bar {"for" if region["alone"] > 0 else "against"}" style="width:{share:.0f}%"></span>'
        cells = ("", bar) if region["alone"] > 0 else (bar, "")
        verdict = {1: "for a match", -1: "against", 0: "not clear"}[clear]
        rows.append(
            f'<tr><th scope="row">{text(region["name"])}</th><td class="bars"><div><span>{cells[0]}</span>'
            f"<span>{cells[1]}</span></div></td>"
            + "".join(f'<td class="num">{region[name]:+.3f}</td>' for name in ("alone", "left", "right", "both"))
            + f'<td class="num">{region["spread"]:.3f}</td><td>{verdict}</td></tr>'
        )
    head = ("Part", "Effect", "One face", "First", "Second", "Both", "Spread", "Spoke")
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    words = (
        "Similarity lost when the part is hidden: in one face (the mean of first and second), in the first, in the "
        "second, in both. Spread: standard deviation over the ways of hiding. Clear is an effect of at least 0.02 and "
        "twice its spread, to the same side in both faces."
    )
    return section(
        "Parts of the face",
        f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        f'<p class="soft"><small>{words}</small></p>',
    )


def _wholes(record: Mapping[str, Any], pictures: CasePictures) -> str:
    figures = []
    for side, (key, word) in enumerate(_SIDES):
        for row, pixels in enumerate(pictures.whole[side]):
            entry = record[key]["pictures"][row]
            box = entry["face"]["box"]
            size = f"{entry['pixels'][0]} x {entry['pixels'][1]} pixels, face {box[2] - box[0]:.0f} x " + (
                f"{box[3] - box[1]:.0f}, detection score {entry['face']['score']:.2f}"
            )
            alt = f"{word} side, {_short(entry['name'])}, with a box around the compared face"
            figures.append(
                f"<figure>{picture(pixels, alt, photo=True)}<figcaption>{word} side: {text(_short(entry['name']))}<br>"
                f"{size}"
                "</figcaption></figure>"
            )
    return section("The pictures", f'<div class="wholes">{"".join(figures)}</div>')


def _quality(record: Mapping[str, Any]) -> str:
    entries = [(word, entry) for key, word in _SIDES for entry in record[key]["pictures"]]
    if all(entry["quality"] is None for _, entry in entries):
        return ""
    names = list(
        dict.fromkeys(name for _, entry in entries for name in (entry["quality"] or {"measures": {}})["measures"])
    )
    head = ["", *(f"{word}: {text(_short(entry['name']))}" for word, entry in entries)]
    rows = [["fused score", *(_score(entry["quality"]) for _, entry in entries)]]
    rows += [[text(name), *(_measure(entry["quality"], name) for _, entry in entries)] for name in names]
    if any(entry["unfit"] for _, entry in entries):
        rows.append(["refused", *("<br>".join(map(_bad, entry["unfit"])) or "no" for _, entry in entries)])
    return section(
        "Quality of the pictures",
        table(head, rows),
        '<p class="soft"><small>Scores run from 0 to 100, higher is better; beside them the raw value and what is '
        f"wrong. {text(_policy(record['quality_policy']))}</small></p>",
    )


def _policy(policy: Mapping[str, Any]) -> str:
    """Which faces were good enough, in words."""
    asked = [f"{name} {limit:g}" for name, limit in policy["limits"].items()]
    asked += [f"a score of {name} of {least:g}" for name, least in policy["scores"].items()]
    told = f"asks for {', '.join(asked)} or better" if asked else "asks for nothing"
    return f"The quality policy {policy['name']} {told}."


def _short(name: str) -> str:
    tail = name.replace("\\", "/").rsplit("/", 1)[-1]
    return tail if len(tail) <= 40 else f"{tail[:18]}...{tail[-19:]}"


def _bad(reason: str) -> str:
    return f'<span class="bad">{text(reason)}</span>'


def _score(quality: Mapping[str, Any] | None) -> str:
    if quality is None or quality["quality"] is None:
        return "not assessed"
    return f"<b>{quality['quality']:.0f}</b>"


def _measure(quality: Mapping[str, Any] | None, name: str) -> str:
    entry = None if quality is None else quality["measures"].get(name)
    if entry is None:
        return "-"
    if entry["score"] is None:
        return text(entry["failure"] or "no value")
    raw = (
        ""
        if entry["raw"] is None
        else f" <small>({entry['raw']:.3g}{' ' if entry['unit'] else ''}{text(entry['unit'] or '')})</small>"
    )
    reason = "" if entry["reason"] is None else f"<br>{_bad(entry['reason'])}"
    return f"{entry['score']:.0f}{raw}{reason}"


def _warnings(record: Mapping[str, Any]) -> str:
    notes = record["decision"]["warnings"]
    return section("Before you rely on it", f'<aside class="notes">{bullets(notes)}</aside>') if notes else ""


def _second(record: Mapping[str, Any]) -> str:
    second = record["decision"]["second"]
    if second is None:
        return ""
    agrees = "agrees" if second["agrees"] else "does not agree"
    llr = "none" if second["llr"] is None else f"{second['llr']:+.2f}"
    rows = [
        ["Model", text(second["model"])],
        ["Answer", f"{text(second['answer'])}: it {agrees}"],
        ["Similarity, threshold", f"{second['similarity']:.3f}, {second['threshold']:.3f}"],
        ["log10 likelihood ratio", llr],
        ["Calibration", f"{text(second['calibration'])}; {text(second['population'])}"],
    ]
    return section("Second opinion", table([], rows))


def _limits(record: Mapping[str, Any]) -> str:
    return section("What this report does not prove", bullets(record["limits"]))


def _repeat(record: Mapping[str, Any]) -> str:
    software = record["software"]
    return section(
        "How to repeat it",
        f"<p>With visavis {text(software['visavis'])} and the pictures whose hashes are below:</p>"
        f"<pre><code>{text(record['reproduce'])}</code></pre>",
    )
