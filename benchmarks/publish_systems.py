"""Run the experiments of the published systems and write them down: docs/results/systems/NAME.json and NAME.md.

    python benchmarks/publish_systems.py ../shared/data [NAME ...] [--only quick|full|pages] [--because TEXT]

Quick runs with the first seeds 0, 1 and 2, then ten further ones (3 to 12), made once, for the pass rate. A repetition
that several runs need is made once. One full run with seed 0. What is not run again is kept from the stored record.
--because says what was wrong with the stored quick runs; they stay in the record in short, with that reason.
"""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path
from typing import Any

from stamp import stamp

from visavis import registry
from visavis.systems.records import card_of
from visavis.systems.result import Result

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs/results/systems"
FIRST, FURTHER = (0, 1, 2), tuple(range(3, 13))


def runs(card: Any, data: Path, starts: tuple[int, ...], budget: str) -> list[Result]:
    module = importlib.import_module(card.experiment.partition(":")[0])
    if hasattr(module, "EXPERIMENT"):
        return module.EXPERIMENT.sweep(data, starts, budget=budget)
    return [card.reproduce(data, seed=seed, budget=budget) for seed in starts]


def measure(name: str, data: Path, budgets: tuple[str, ...], because: str) -> dict[str, Any]:
    card = card_of(name)
    path = FOLDER / f"{card.short}.json"
    record = json.loads(path.read_text()) if path.exists() else {"name": card.name}
    if because:
        short = {key: record[key] for key in ("date", "commit", "pass_rate")}
        failed = {check["name"] for run in record["further"] for check in run["checks"] if not check["passed"]}
        record["earlier"] = [*record.get("earlier", []), {**short, "failed": sorted(failed), "because": because}]
    if "quick" in budgets:
        first = [result.to_dict() for result in runs(card, data, FIRST, "quick")]
        further = [result.to_dict() for result in runs(card, data, FURTHER, "quick")]
        record |= stamp() | {"runs": first, "further": further}
        record["pass_rate"] = {"passed": sum(run["passed"] for run in further), "runs": len(further)}
    if "full" in budgets:
        record["full"] = stamp() | runs(card, data, FIRST[:1], "full")[0].to_dict()
    return record


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]


def number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def checks(columns: list[dict[str, Any]]) -> list[str]:
    seeds = [f"seeds {run['seeds'][0]} to {run['seeds'][-1]}" for run in columns]
    rows = []
    for place, check in enumerate(columns[0]["checks"]):
        values = [run["checks"][place] for run in columns]
        told = [number(value["value"]) + ("" if value["passed"] else ", not passed") for value in values]
        rows.append([f"`{check['name']}`", *told, f"{check['op']} {check['threshold']:g}"])
    return table(["check", *seeds, "must be"], rows)


def figures(run: dict[str, Any]) -> list[str]:
    measured = [[f"`{name}`", number(value)] for name, value in run["measures"].items()]
    ranges = [[f"`{name}`", f"{low:+.4f} .. {high:+.4f}"] for name, (low, high) in run["intervals"].items()]
    intervals = ["", *table(["difference", "95 % over test people"], ranges)] if ranges else []
    return [*table(["figure, mean over the seeds", "value"], measured), *intervals]


def touched(run: dict[str, Any]) -> str:
    told = (
        f"{count} people of role `{role}` of {row['set']}"
        for row in run["roles"]
        for role, count in row["roles"].items()
    )
    return "; ".join(told)


def earlier(attempt: dict[str, Any]) -> list[str]:
    rate, failed = attempt["pass_rate"], ", ".join(f"`{name}`" for name in attempt["failed"])
    return [
        "",
        f"An earlier form of this check, at commit `{attempt['commit']}`, passed {rate['passed']} of {rate['runs']} "
        f"(failed: {failed}) and was badly posed: {attempt['because']}",
    ]


def listed(title: str, lines: tuple[str, ...]) -> list[str]:
    return ["", f"## {title}", "", *(f"- {line}" for line in lines)] if lines else []


def page(record: dict[str, Any]) -> str:
    """The page of a system, from its card and its stored record."""
    card = card_of(record["name"])
    first, further, full, rate = record["runs"][0], record["further"], record["full"], record["pass_rate"]
    machine = first["environment"]
    lines = [
        f"# {card.short}",
        "",
        f"{card.title}. {card.paper}. Code: {card.code}. Released weights: {card.licence}.",
        "",
        f"Made by `benchmarks/publish_systems.py` ([record]({card.short}.json)) on {record['date']} at commit "
        f"`{record['commit']}`; {machine['processor']}, {machine['cores']} cores, torch {machine['torch']}. Again with "
        f"`visavis reproduce {card.short} --data DIR --seed 0`.",
        "",
        f"Implemented: {', '.join(f'`{name}`' for name in card.implemented)}.",
        *(
            ["", f"Released checkpoints are read by {', '.join(f'`{name}`' for name in card.loaders)}."]
            * bool(card.loaders)
        ),
        "",
        "## What the experiment shows",
        "",
        card.expects,
        "",
        f"Quick budget, {first['seconds']:.0f} s a run on one core: {touched(first)}.",
        "",
        *checks(record["runs"]),
        "",
        f"Of {rate['runs']} further runs with the first seeds {further[0]['seeds'][0]} to {further[-1]['seeds'][0]}, "
        f"made once after the thresholds were fixed, {rate['passed']} passed. Neighbouring runs share seeds, so they "
        "are not independent.",
        *(line for attempt in record.get("earlier", ()) for line in earlier(attempt)),
        "",
        *figures(first),
        "",
        f"Full budget, {full['seconds']:.0f} s at commit `{full['commit']}`: {touched(full)}.",
        "",
        *checks([full]),
        "",
        *figures(full),
        *listed("Where it differs from the paper", card.deviations),
        *listed("Corrections", card.corrections),
        "",
        "## What the paper reports",
        "",
        *table(["figure", "value"], [[name, f"{value:g}"] for name, value in card.paper_numbers.items()]),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--only", choices=("quick", "full", "pages"))
    parser.add_argument("--because", default="")
    arguments = parser.parse_args()
    budgets = {None: ("quick", "full"), "pages": ()}.get(arguments.only, (arguments.only,))
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or registry.names("system/*"):
        record = measure(name, arguments.data, budgets, arguments.because)
        short = card_of(name).short
        (FOLDER / f"{short}.json").write_text(json.dumps(record, indent=1) + "\n")
        if "runs" in record and "full" in record:
            (FOLDER / f"{short}.md").write_text(page(record))


if __name__ == "__main__":
    main()
