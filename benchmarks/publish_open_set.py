"""Searches with strangers: docs/results/open-set.json and open-set.md.

    python benchmarks/publish_open_set.py ../shared/data [--models visavis-s visavis-vit-t] [--only page|PART]

For the default model: LFW and CFP of role ``test`` as `visavis evaluate open-set` does it, and the thresholds for
galleries of many sizes on people whom they were not fitted on. For the other models: LFW. Nothing is fitted or chosen.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from stamp import stamp

from visavis.calibration.identification_fit import Strangers, fit_identification
from visavis.calibration.prediction import predicted
from visavis.calibration.table import Calibration
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.labelled import Labelled, embed_labelled, read_labelled
from visavis.protocols.open_set import evaluate_open_set
from visavis.runtime.machine import machine
from visavis.types import FPIR

ROOT = Path(__file__).parents[1]
RECORD, PAGE = ROOT / "docs/results/open-set.json", ROOT / "docs/results/open-set.md"
SIZES = (10, 50, 100, 500, 1000, 2000)
RATES = (1e-1, 3e-2, 1e-2)
DRAWS = 10
HALVES = 40
FEW = 300
"""People that tables are fitted on to see how far they can be carried on."""


def suspects(data: Path) -> list[str]:
    rows = csv.DictReader((data / "celeba_ids/labels.csv").open(encoding="utf-8"))
    return [row["file"] for row in rows if row["suspect"] == "1"]


def thresholds(pipeline: Pipeline, data: Path) -> list[dict[str, Any]]:
    """What the thresholds do on other people, one picture a person, exact over all galleries of a size."""
    cfp = read_labelled(data / "cfp_dev/cfp_dev.tar", role="test")
    celeba = read_labelled(data / "celeba_ids/celeba_ids.tar", role="develop", without=suspects(data))
    found = []
    for name, role, part in (
        ("LFW, people with one picture", "test", singles(data)),
        ("CFP frontal", "test", only(cfp, lambda name, person: "/frontal/" in name)),
        ("CFP profile", "test", only(cfp, lambda name, person: "/profile/" in name)),
        ("CelebA", "develop", celeba),
    ):
        templates = embed_labelled(pipeline, part)
        found.append({"data": name, "role": role, **realised(pipeline.calibration(), templates)})
    return found


def carried_on(pipeline: Pipeline, data: Path) -> dict[str, Any]:
    """Tables of few people, carried on to the largest gallery of the LFW people with one picture."""
    fitted = embed_labelled(pipeline, read_labelled(data / "lfw/lfw.tar"), per_person=1)
    others = embed_labelled(pipeline, singles(data))
    strangers = Strangers.of(others.vectors)
    size = strangers.people - 1
    found: dict[float, list[float]] = {rate: [] for rate in RATES[:2]}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        rows = rng.choice(len(fitted.people), FEW, replace=False)
        table = fit_identification(fitted.vectors[rows], rows.tolist(), rng=rng)
        for rate, values in found.items():
            values.append(strangers.fpir(table.threshold(rate, size=size), size=size))
    return {
        "people": FEW,
        "tables": 20,
        "size": size,
        "realised": {str(rate): values for rate, values in found.items()},
    }


def coverage(pipeline: Pipeline, data: Path) -> dict[str, Any]:
    """Tables of one half of the LFW people with one picture, realised on the other half."""
    templates = embed_labelled(pipeline, singles(data))
    count = len(templates.people)
    found: dict[tuple[int, float], list[tuple[float, float, float]]] = {}
    for seed in range(HALVES):
        rng = np.random.default_rng(seed)
        order = rng.permutation(count)
        one, two = order[: count // 2], order[count // 2 :]
        table = fit_identification(templates.vectors[one], one.tolist(), rng=rng)
        others = Strangers.of(templates.vectors[two])
        for size in (10, 100, 1000):
            for rate in RATES:
                low, high = predicted(rate, table.error(rate, size=size), people=len(one), sample=len(two))
                value = others.fpir(table.threshold(rate, size=size), size=size)
                found.setdefault((size, rate), []).append((value, low, high))
    rows = []
    for (size, rate), values in found.items():
        value, low, high = np.array(values).T
        inside = float(((low <= value) & (value <= high)).mean())
        ends = [float(np.median(low)), float(np.median(high))]
        rows.append(
            {"size": size, "target": rate, "covered": inside, "median": float(np.median(value)), "interval": ends}
        )
    return {"people": count, "halves": HALVES, "rows": rows}


def singles(data: Path) -> Labelled:
    lfw = read_labelled(data / "lfw/lfw.tar", role="test")
    several = {person for person, count in zip(*np.unique(lfw.people, return_counts=True), strict=True) if count > 1}
    return only(lfw, lambda name, person: person not in several)


def only(labelled: Labelled, wanted: Any) -> Labelled:
    pairs = [one for one in zip(labelled.names, labelled.people, strict=True) if wanted(*one)]
    names, people = zip(*pairs, strict=True)
    return Labelled(labelled.store, names, people, labelled.set_name, labelled.left_out)


def realised(calibration: Calibration, templates: Any) -> dict[str, Any]:
    """Mean over draws of one picture a person."""
    people = np.asarray(templates.people)
    draws = DRAWS if len(set(templates.people)) < len(people) else 1
    parts = []
    for seed in range(draws):
        order = np.random.default_rng(seed).permutation(len(people))
        parts.append(Strangers.of(templates.vectors[order[np.unique(people[order], return_index=True)[1]]]))
    count = parts[0].people
    rows = []
    for size in (*(size for size in SIZES if size < count - 1), count - 1):
        for rate in RATES:
            at = FPIR(rate)
            threshold = calibration.search_threshold(at, size=size)
            interval = calibration.search_rate(at, size=size, sample=count)
            values = [part.fpir(threshold, size=size) for part in parts]
            rows.append(
                {
                    "size": size,
                    "target": rate,
                    "threshold": threshold,
                    "realised": float(np.mean(values)),
                    "false_searches_of_all_people": float(np.mean(values)) * count,
                    "predicted": [interval.low, interval.high],
                    "extrapolated": size > calibration.searches().reach(rate)[1],
                }
            )
    return {"people": count, "draws": draws, "rows": rows}


def protocols(pipeline: Pipeline, data: Path, models: list[str]) -> list[dict[str, Any]]:
    """LFW and CFP with the default model, LFW with the others."""
    lfw = read_labelled(data / "lfw/lfw.tar", role="test")
    cfp = read_labelled(data / "cfp_dev/cfp_dev.tar", role="test")
    results = [
        evaluate_open_set(pipeline, lfw),
        evaluate_open_set(pipeline, cfp, strangers="half", enrol="frontal"),
        *(evaluate_open_set(Pipeline(model=f"embedder/{name}"), lfw) for name in models),
    ]
    return [one.to_dict() for one in results]


def measure(data: Path, models: list[str]) -> dict[str, Any]:
    pipeline = Pipeline()
    return {
        **stamp(),
        "environment": machine(),
        "results": protocols(pipeline, data, models),
        "thresholds": thresholds(pipeline, data),
        "carried_on": carried_on(pipeline, data),
        "coverage": coverage(pipeline, data),
    }


def row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def told(figure: dict[str, Any], *, count: bool = False) -> str:
    low, high = figure["interval"]
    text = f"{figure['value']:.4f} ({low:.4f} .. {high:.4f})"
    if count or not figure["enough_events"]:
        least = min(figure["counts"].items(), key=lambda one: one[1])
        text += f", {least[1]} {least[0]}"
    return text


def protocol(record: dict[str, Any]) -> list[str]:
    figures = record["figures"]
    suffixes = ["", *sorted({name.partition("rank.1")[2] for name in figures if name.startswith("rank.1.")})]
    lines = [row("figure", *(suffix.strip(".") or "all" for suffix in suffixes)), "|---|" + "---|" * len(suffixes)]
    words = {
        "rank.1": "rank 1, closed set",
        "rank.5": "rank 5",
        "rank.20": "rank 20",
        "fpir.1e-2": "realised FPIR, asked for 0.01",
        "fnir.1e-2": "FNIR at that threshold",
        "fpir.1e-1": "realised FPIR, asked for 0.1",
        "fnir.1e-1": "FNIR at that threshold",
        "dir_oracle.1e-2": "DIR at FPIR 0.01, *oracle threshold*",
        "dir_oracle.1e-1": "DIR at FPIR 0.1, *oracle threshold*",
    }
    for name, word in words.items():
        cells = [figures.get(name + suffix) for suffix in suffixes]
        lines.append(row(word, *("" if one is None else told(one, count=name.startswith("f")) for one in cells)))
    return lines


def err_sentence(realised: dict[str, list[float]]) -> str:
    """Which way the carried-on thresholds erred, and how far at worst."""
    worst = max(max(values) / float(rate) for rate, values in realised.items())
    lowest = min(min(values) / float(rate) for rate, values in realised.items())
    below = all(np.median(values) < float(rate) for rate, values in realised.items())
    typical = (
        "Carried on so far, a threshold is mostly too high, which costs misses;"
        if below
        else "Carried on so far, a threshold is not too high as a rule;"
    )
    return (
        f"{typical} but single tables err either way, from {lowest:.2f} to {worst:.1f} times the rate that was asked "
        "for. A few people make the largest thresholds of each, so no interval is given there."
    )


def seconds(record: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:.1f}" for name, value in record["seconds"].items())


def page(record: dict[str, Any]) -> str:
    lfw, cfp, *others = record["results"]
    machine_ = record["environment"]
    parts = [
        "# Searches with strangers",
        "",
        f"Made by `benchmarks/publish_open_set.py` on {record['date']} at commit `{record['commit']}` "
        f"([record](open-set.json)); {machine_['processor']}, {machine_['cores']} cores, other work beside it. "
        "Thresholds: the shipped ones, fitted on 1,457 LFW people of role `calibrate`; the figures are of people of "
        "role `test`. Intervals are 95 %, over resamples of people, or Clopper-Pearson over people where there are "
        "fewer than ten events on one side. A failed picture is a miss, and a right answer of a stranger. The "
        "recogniser was trained on web photos of celebrities, and so are these pictures: the figures flatter it. "
        "[What the words mean](../explanation/one-to-many.md).",
        "",
        "## LFW",
        "",
        f"{lfw['gallery']:,} people with two pictures or more, enrolled with all but one ({lfw['enrolled_pictures']:,} "
        f"pictures); the one that was left out searches. {lfw['strangers']:,} people with one picture are strangers. "
        f"Model {lfw['model']}. Seconds: {seconds(lfw)}.",
        "",
        *protocol(lfw),
        "",
        "## CFP",
        "",
        f"A drawn half of the people, {cfp['gallery']}, enrolled with all but one frontal picture; the one left out "
        f"and four profiles of each search. The pictures of the other {cfp['strangers']} people that are chosen alike "
        f"are the strangers'. Model {cfp['model']}. Seconds: {seconds(cfp)}.",
        "",
        *protocol(cfp),
        "",
        "The false positive identification rate lies below its target here, as the false match rate of single pairs "
        "does ([the calibration](calibration.md)): frontal pictures of two CFP people are less alike than those of two "
        "LFW people, and profiles searched among frontals less still. That costs misses: the oracle thresholds show "
        "how many. A calibration of one's own people is what brings both to their place.",
        "",
        "## Galleries of many sizes",
        "",
        "What the shipped thresholds do on people whom they were not fitted on: one picture a person, each in turn a "
        "stranger to galleries of the others, exact over all galleries of a size. *Predicted*: the 95 % interval for "
        "as many other people of the population; *beyond*: the gallery is larger than what was measured, the threshold "
        "is carried on and has no interval; *few*: fewer than ten false searches, no claim rests on it. Profiles among "
        "profiles pass strict thresholds oftener than was asked, frontal pictures of CFP less often: a rate "
        "holds for its population.",
        "",
        row("people", "role", "gallery", "target", "realised", "false searches", "predicted, 95 %", ""),
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in record["thresholds"]:
        for line in one["rows"]:
            low, high = line["predicted"]
            parts.append(
                row(
                    f"{one['data']}, {one['people']:,}",
                    one["role"],
                    f"{line['size']:,}",
                    f"{line['target']:g}",
                    f"{line['realised']:.4f}",
                    f"{line['false_searches_of_all_people']:.1f}",
                    "none" if low is None else f"{low:.4f} .. {high:.4f}",
                    ", ".join(
                        [
                            *(["beyond"] if line["extrapolated"] else []),
                            *(["few"] if line["false_searches_of_all_people"] < 10 else []),
                        ]
                    ),
                )
            )
    beyond, halves = record["carried_on"], record["coverage"]
    parts += [
        "",
        "## Does the interval hold?",
        "",
        f"Fitted on one random half of the {halves['people']:,} LFW people with one picture, realised on the other; "
        f"{halves['halves']} times (role `test`: nothing depends on it).",
        "",
        row("gallery", "target", "halves whose interval held", "realised, median", "interval, median"),
        "|---|---|---|---|---|",
        *(
            row(
                f"{line['size']:,}",
                f"{line['target']:g}",
                f"{100 * line['covered']:.0f} %",
                f"{line['median']:.4f}",
                f"{line['interval'][0]:.4f} .. {line['interval'][1]:.4f}",
            )
            for line in halves["rows"]
        ),
        "",
        "## Beyond what was measured",
        "",
        f"{beyond['tables']} tables, each fitted on {beyond['people']} of the people of role `calibrate`, carried on "
        f"to galleries of {beyond['size']:,} of the LFW people with one picture: a size "
        f"{beyond['size'] / (beyond['people'] - 1):.0f} times as large as what each was measured on.",
        "",
        row("target", "realised, median", "lowest", "highest"),
        "|---|---|---|---|",
        *(
            row(rate, f"{np.median(values):.4f}", f"{min(values):.4f}", f"{max(values):.4f}")
            for rate, values in beyond["realised"].items()
        ),
        "",
        err_sentence(beyond["realised"]),
    ]
    if others:
        parts += ["", "## Other models, LFW", "", row("figure", *(one["model"] for one in others))]
        parts.append("|---|" + "---|" * len(others))
        for name in ("rank.1", "fpir.1e-2", "fnir.1e-2", "fpir.1e-1", "fnir.1e-1"):
            parts.append(row(name, *(told(one["figures"][name], count=name[0] == "f") for one in others)))
    return "\n".join([*parts, ""])


PARTS = {"thresholds": thresholds, "carried_on": carried_on, "coverage": coverage}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", nargs="*", default=["visavis-s", "visavis-vit-t"])
    parser.add_argument("--only", choices=["page", *PARTS])
    given = parser.parse_args()
    if given.only is None:
        RECORD.write_text(json.dumps(measure(given.data, given.models), indent=1) + "\n", encoding="utf-8")
    if given.only in PARTS:
        stored = json.loads(RECORD.read_text(encoding="utf-8"))
        stored[given.only] = PARTS[given.only](Pipeline(), given.data)
        RECORD.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(json.loads(RECORD.read_text(encoding="utf-8"))), encoding="utf-8")
