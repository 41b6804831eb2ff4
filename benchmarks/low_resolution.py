r"""Low-resolution recognition on LFW: plain recognisers, four trainings of one, and the companion of the default.

    for NAME in recognizability full lora dual_lora; do
        visavis train benchmarks/low_resolution/NAME.yaml --data packs/celeba --data packs/utk \
            --develop packs/develop --out RUNS/NAME
    done
    python benchmarks/low_resolution.py measure --data ../shared/data --runs RUNS --cache CACHE [ROW ...]
    python benchmarks/low_resolution.py write

``measure`` takes all rows, or those that are named, and keeps the others of docs/results/low-resolution.json; a row
whose run is not there is passed over. People are those of role ``test`` with two pictures, two pictures of each. Rows
that are measured together share detection and crops, and CACHE keeps templates by the hash of their model. ``write``
makes the page and the plot of what is measured.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stamp import stamp

from visavis import Pipeline
from visavis.protocols.labelled import read_labelled
from visavis.protocols.low_resolution import (
    SizedPeople,
    TwoPictures,
    embed_sizes,
    low_resolution_result,
    two_pictures,
)
from visavis.protocols.report.low_resolution_plot import write_low_resolution
from visavis.protocols.sized_pictures import FULL, Sizes
from visavis.recognition.template_rows import template_rows
from visavis.runtime.machine import machine
from visavis.training.recipes.export import export_run
from visavis.training.recipes.trained import read_run
from visavis.types import Failure, Status, Templates

RESULTS = Path(__file__).parents[1] / "docs" / "results"
DEFAULT, COMPANION, PLAIN = "sface.2021dec", "visavis-low", "visavis-vit-t"
RESAMPLES = 200
DRAWN = ("default", "companion", "visavis-s", "visavis-vit-t", "full fine-tuning", "LoRA", "dual LoRA", "RI training")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: who makes the probes' templates, and who the gallery's.

    Attributes:
        model: A name, or the folder of a run below RUNS.
        gallery: The other model; the same one when empty.
        run: Whether ``model`` is a run.
    """

    model: str
    gallery: str = ""
    run: bool = False


ROWS = {
    "default": Row(DEFAULT),
    "companion": Row(COMPANION),
    "companion, default gallery": Row(COMPANION, DEFAULT),
    "visavis-s": Row("visavis-s"),
    "visavis-vit-t": Row(PLAIN),
    "RI training": Row("recognizability", run=True),
    "full fine-tuning": Row("full", run=True),
    "LoRA": Row("lora", run=True),
    "dual LoRA": Row("dual_lora", run=True),
}


def measure(data: Path, runs: Path | None, cache: Path, wanted: list[str]) -> None:
    chosen = two_pictures(read_labelled(data / "lfw" / "lfw.tar", role="test"))
    sizes = Sizes()
    path = RESULTS / "low-resolution.json"
    with tempfile.TemporaryDirectory() as scratch:
        rows = {name: row for name, row in ROWS.items() if name in wanted and _there(row, runs)}
        made: dict[str, Pipeline] = {}
        for row in rows.values():
            for model in filter(None, (row.model, row.gallery)):
                made.setdefault(model, _pipeline(model, row.run, runs, Path(scratch)))
        people = _templates(made, chosen, sizes, cache)
        for name, row in rows.items():
            other = row.gallery or row.model
            result = low_resolution_result(
                made[row.model],
                made[other],
                people[row.model],
                people[other],
                chosen,
                sizes=sizes,
                resamples=RESAMPLES,
            ).to_dict()
            found = json.loads(path.read_text()) if path.exists() else {"rows": {}}
            found["rows"][name] = {**result, "trained": _trained(row, runs)}
            if row.gallery:
                found["to_clear"] = {
                    one: _to_clear(people[one], people[row.gallery], sizes) for one in (row.gallery, row.model)
                }
            found["rows"] = {key: found["rows"][key] for key in ROWS if key in found["rows"]}
            found |= {**stamp(), "machine": machine()}
            path.write_text(json.dumps(found, indent=1) + "\n")
            print(name, result["figures"][f"rank.1@{sizes.names[0]}"]["value"], flush=True)


def _templates(made: dict[str, Pipeline], chosen: TwoPictures, sizes: Sizes, cache: Path) -> dict[str, SizedPeople]:
    """Templates of each model, from the cache where they are kept."""
    cache.mkdir(parents=True, exist_ok=True)
    files = {model: cache / f"{pipeline.space.fingerprint}.npz" for model, pipeline in made.items()}
    fresh = {model: pipeline for model, pipeline in made.items() if not files[model].exists()}
    if fresh:
        found = embed_sizes(list(fresh.values()), chosen, sizes, progress=_told)
        for model, people in zip(fresh, found, strict=True):
            sides = {"gallery": people.gallery, "probes": people.probes}
            kept = {f"{side}@{size}": rows for side, named in sides.items() for size, rows in named.items()}
            np.savez(files[model], **{name: rows.vectors * rows.norms[:, None] for name, rows in kept.items()})
    return {model: _read(files[model], pipeline, sizes) for model, pipeline in made.items()}


def _read(file: Path, pipeline: Pipeline, sizes: Sizes) -> SizedPeople:
    with np.load(file) as kept:
        sides = [
            {size: _rows(kept[f"{side}@{size}"], pipeline) for size in sizes.names} for side in ("gallery", "probes")
        ]
    return SizedPeople(*sides)


def _rows(raw: NDArray[np.float32], pipeline: Pipeline) -> Templates:
    missing = Failure("no-face", "no face was found")
    status = Status(tuple(None if fine else missing for fine in np.isfinite(raw[:, 0])))
    return template_rows(raw, status, pipeline.space, pipeline.made_by)


def _to_clear(small: SizedPeople, clear: SizedPeople, sizes: Sizes) -> list[float]:
    """Mean cosine of a template of each size with that of the same picture in full."""
    reference = clear.probes[FULL].vectors
    return [float(np.nanmean((small.probes[size].vectors * reference).sum(axis=1))) for size in sizes.names]


def _there(row: Row, runs: Path | None) -> bool:
    return not row.run or (runs is not None and (runs / row.model / "checkpoints").is_dir())


def _pipeline(model: str, run: bool, runs: Path | None, scratch: Path) -> Pipeline:
    if not run or runs is None:
        return Pipeline(model=model)
    return Pipeline(model=export_run(read_run(runs / model), scratch / f"{model}.onnx", licence="measured only").path)


def _trained(row: Row, runs: Path | None) -> dict[str, Any] | None:
    """Steps, seconds and the trained share of a run; None for a model that is as it is."""
    if not row.run or runs is None:
        return None
    run = json.loads((runs / row.model / "run.json").read_text())
    head, *lines = (runs / row.model / "log.csv").read_text().splitlines()
    last = dict(zip(head.split(","), lines[-1].split(","), strict=True))
    share = (run.get("trained") or {}).get("share", 1.0)
    return {"share": share, "steps": int(last["step"]), "seconds": float(last["seconds"])}


def _told(done: int, of: int) -> None:
    if done % 512 == 0 or done == of:
        print(f"{done} of {of} pictures", flush=True)


def write() -> None:
    record = json.loads((RESULTS / "low-resolution.json").read_text())
    (RESULTS / "low-resolution.md").write_text(page(record))
    write_low_resolution(
        RESULTS / "low-resolution.svg", {name: record["rows"][name] for name in DRAWN if name in record["rows"]}
    )


def page(record: dict[str, Any]) -> str:
    rows = record["rows"]
    first = next(iter(rows.values()))
    sizes = first["settings"]["sizes"]
    lines = [
        "# Faces of 8 to 32 pixels",
        "",
        "Made by `benchmarks/low_resolution.py`; what it means is in [the guide](../guides/low-resolution.md).",
        f"LFW people of role `test` with two pictures: {first['people']:,}, two pictures each, drawn once. One is",
        "enrolled as it is, the other is reduced whole (`down-cubic`) until its face has so many pixels, and detected",
        "and aligned there. A face that is not found is a rejection. Intervals are 95 % over people, "
        f"{first['resamples']} resamples.",
        "The default recogniser was trained on web photos of celebrities, whom LFW shows too. Rows with a trained",
        f"share began as `{PLAIN}` and had {_steps(rows)} steps on the same crops (`benchmarks/low_resolution/`); they",
        "have no calibration, so no rate at a shipped threshold.",
        "",
        *_table(rows, sizes, "rank.1", "Rank 1", shares=True),
        *_table(rows, sizes, "tar_at_far.1e-2", "TAR at FAR 1e-2 (oracle threshold, of each size and row)"),
        "![Rank 1 and false match rate over the size of the face](low-resolution.svg)",
        "",
        "## Strangers look alike when they are small",
        "",
        "The threshold that users get was measured on full pictures, for a false match rate of 1e-3. This is the rate",
        "within each size, over all pairs of different people: of a small probe against full pictures,",
        "",
        *_rates(rows, sizes, "fmr"),
        "and of two small pictures:",
        "",
        *_rates(rows, [size for size in sizes if size != FULL], "fmr_both"),
        "Mated pairs that are missed there, small against full:",
        "",
        *_rates(rows, sizes, "fnmr"),
        "Mean similarity of two different people, both small:",
        "",
        *_means(rows, sizes),
        *_clear(record.get("to_clear", {}), sizes),
        *_failed(first, sizes),
    ]
    return "\n".join(lines)


def _steps(rows: dict[str, Any]) -> str:
    """The number of steps of the trained rows."""
    steps = {row["trained"]["steps"] for row in rows.values() if row["trained"]}
    return " or ".join(str(number) for number in sorted(steps)) or "no"


def _head(sizes: list[str], *, shares: bool = False) -> list[str]:
    more = ["trained share"] if shares else []
    names = ["row", *more, *sizes]
    return [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]


def _table(rows: dict[str, Any], sizes: list[str], key: str, title: str, *, shares: bool = False) -> list[str]:
    lines = [f"## {title}", "", *_head(sizes, shares=shares)]
    for name, row in rows.items():
        trained = row["trained"]
        share = [] if not shares else ["" if trained is None else f"{100 * trained['share']:.2f} %"]
        cells = [f"{row['figures'][f'{key}@{size}']['value']:.3f}" for size in sizes]
        lines.append(f"| {' | '.join([name, *share, *cells])} |")
    return [*lines, ""]


def _rates(rows: dict[str, Any], sizes: list[str], key: str) -> list[str]:
    lines = _head(sizes)
    for name, row in _distinct(rows, key):
        found = [row["figures"].get(f"{key}@{size}") for size in sizes]
        if all(found):
            cells = [_rate(one) for one in found]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, ""]


def _distinct(rows: dict[str, Any], key: str) -> list[tuple[str, Any]]:
    """The rows; of two small pictures none twice for another gallery."""
    return [(name, row) for name, row in rows.items() if not key.endswith("_both") or not ROWS[name].gallery]


def _rate(figure: dict[str, Any]) -> str:
    low, high = figure["interval"]
    few = "" if figure["enough_events"] else " (few events)"
    if figure["value"] < 0.01:
        return f"{figure['value']:.1e} ({low:.1e} .. {high:.1e}){few}"
    return f"{figure['value']:.3f} ({low:.3f} .. {high:.3f}){few}"


def _means(rows: dict[str, Any], sizes: list[str]) -> list[str]:
    lines = _head(sizes)
    for name, row in _distinct(rows, "nonmated_both"):
        cells = [f"{value:.3f}" for value in row["curves"]["nonmated_both"]]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, ""]


def _clear(found: dict[str, list[float]], sizes: list[str]) -> list[str]:
    if not found:
        return []
    lines = [
        "Mean cosine of the template of a small picture with the default recogniser's of the same picture in full,",
        "which is what the companion learns:",
        "",
        *_head(sizes),
    ]
    lines += [f"| `{name}` | {' | '.join(f'{value:.3f}' for value in values)} |" for name, values in found.items()]
    return [*lines, ""]


def _failed(row: dict[str, Any], sizes: list[str]) -> list[str]:
    told = ", ".join(f"{100 * row['figures'][f'failed@{size}']['value']:.1f} % at {size}" for size in sizes)
    return [f"Probes in which no face was found, in every row: {told}.", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("measure", "write"))
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "low-resolution")
    given = parser.parse_args()
    if given.what == "measure":
        measure(given.data, given.runs, given.cache, given.rows or list(ROWS))
    else:
        write()


if __name__ == "__main__":
    main()
