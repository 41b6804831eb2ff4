"""The recognisers that this package makes itself: shipped, measured, and written to docs/results/own-models.

    python benchmarks/own_models.py ship RUNS --data ../shared/data
    python benchmarks/own_models.py measure --data ../shared/data --packs PACKS
    python benchmarks/own_models.py times

RUNS is a folder of the runs ``visavis-s``, ``visavis-vit-t`` and ``visavis-low`` of ``visavis train``; ``--only NAME``
takes one of them. ``ship`` exports them, fits their operating points on people of role ``calibrate`` and puts network,
card, calibration and logs where the package and the documentation have them; of the companion it also says on the card
that its templates are compared with the default's, and fits the operating points of such pairs. ``measure`` reads
accuracy off people of role ``test``, the cosine to the teacher off packs of people that were not trained on
(PACKS/develop and PACKS/calibrate), and times a face on one thread, in turns with the teacher; ``times`` takes the
times alone again. Run these on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from visavis import Pipeline
from visavis.calibration.table import Calibration
from visavis.cards import LocalFile, WeightCard
from visavis.data.pack import Pack
from visavis.data.selection import merged_names
from visavis.io import open_store
from visavis.nn.backbones.table import SIZES
from visavis.pipeline.models import CALIBRATION_SUFFIX, DEFAULT_EMBEDDER, create_embedder, model_card
from visavis.protocols.calibrate_pair import calibrate_pair
from visavis.protocols.evaluate import evaluate_pairs
from visavis.protocols.labelled import read_labelled
from visavis.protocols.pairs import read_pairs
from visavis.recognition.default_card import SFACE
from visavis.runtime.brought import CARD_SUFFIX
from visavis.runtime.machine import machine
from visavis.runtime.session import EngineOptions
from visavis.runtime.storage import Storage
from visavis.training.recipes.export import export_run
from visavis.training.recipes.measure import calibrate_export
from visavis.training.recipes.teacher import Teacher
from visavis.training.recipes.trained import read_run

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
PACKAGE = ROOT / "src" / "visavis"
MODELS: dict[str, Storage] = {"visavis-s": "int8", "visavis-vit-t": "int8", "visavis-low": "int8"}
BACKBONES = {"visavis-s": "mobilenet-slim", "visavis-vit-t": "vit-mini", "visavis-low": "mobilenet-slim"}
COMPANION = "visavis-low"
POPULATION = "web photos of 1,457 LFW people outside pairs.txt (role calibrate)"
LICENCE = "Apache-2.0 as far as ours; made of pictures for research only"
PROTOCOLS = {
    "lfw": ("LFW", "lfw/pairs.txt", "lfw/lfw.tar", "lfw"),
    "cfp_ff": ("CFP frontal", "cfp_dev/pairs_FF.csv", "cfp_dev/cfp_dev.tar", "cfp_dev"),
    "cfp_fp": ("CFP frontal-profile", "cfp_dev/pairs_FP.csv", "cfp_dev/cfp_dev.tar", "cfp_dev"),
}
ROUNDS = 60


def ship(runs: Path, data: Path, only: str | None) -> None:
    left_out = merged_names([f"{data}/celeba_ids/labels.csv:suspect"])
    for name, storage in MODELS.items():
        if name != (only or name):
            continue
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch, f"{name}.onnx")
            exported = export_run(read_run(runs / name), out, licence=LICENCE, name=name, storage=storage)
            exported, _ = calibrate_export(
                exported,
                data / "lfw" / "lfw.tar",
                mated=data / "celeba_ids" / "celeba_ids.tar",
                without=left_out,
                population=POPULATION,
            )
            weights = PACKAGE / "recognition" / "weights"
            weights.mkdir(exist_ok=True)
            shutil.copy(out, weights / out.name)
            told = exported.card.trained_on.replace("a set of its own", "utkface_more, a picture each")
            card = replace(exported.card, sources=(LocalFile(out.name),), trained_on=told)
            tables = PACKAGE / "calibration" / "tables"
            if name == COMPANION:
                card = _compatible(card)
                out.with_name(out.name + CARD_SUFFIX).write_text(json.dumps(card.to_dict()))
                pair = _pair_table(out, card.sha256, data, left_out)
                (tables / f"{name}-and-default.json").write_text(json.dumps(pair.to_dict(), indent=1))
            (weights / f"{name}{CARD_SUFFIX}").write_text(json.dumps(card.to_dict(), indent=1) + "\n")
            shutil.copy(out.with_name(out.name + CALIBRATION_SUFFIX), tables / f"{name}.json")
        for table in ("log.csv", "evaluations.csv"):
            shutil.copy(runs / name / table, RESULTS / f"{name}-{table}")
        print(name, exported.card.sha256[:12], f"parity {exported.parity:.1e}, kept {exported.kept:.5f}")


def _compatible(card: WeightCard) -> WeightCard:
    told = (
        "Its templates may be compared with those of the default recogniser: it learnt that one's embedding of the "
        "clear crop."
    )
    limits = "It does not beat the default recogniser on small faces, only visavis-s: docs/results/low-resolution.md."
    return replace(card, compatible_with=(SFACE.sha256,), notes=(*card.notes, told, limits))


def _pair_table(model: Path, sha256: str, data: Path, left_out: Collection[str]) -> Calibration:
    """The operating points of a template of the companion against one of the default recogniser."""
    return calibrate_pair(
        Pipeline(model=model),
        Pipeline(),
        read_labelled(data / "lfw" / "lfw.tar"),
        read_labelled(data / "celeba_ids" / "celeba_ids.tar", without=left_out),
        name=f"{COMPANION}.{sha256[:8]} and {SFACE.calibration}",
        population=POPULATION,
    )


def accuracy(name: str, data: Path) -> dict:
    pipeline = Pipeline(model=name)
    found = {}
    for key, (_, pairs, images, set_name) in PROTOCOLS.items():
        result, _ = evaluate_pairs(pipeline, read_pairs(data / pairs), open_store(data / images), set_name=set_name)
        record = result.to_dict()
        kept = ("accuracy", "accuracy_interval", "pairs", "people", "failed", "tar_at_far", "shipped", "roles")
        found[key] = {field: record[field] for field in kept}
        print(name, key, record["accuracy"], flush=True)
    return found


def faithfulness(name: str, packs: Path) -> dict:
    """Cosine of the embedding of a crop with that of the teacher, on people set aside."""
    found = {}
    for role in ("develop", "calibrate"):
        pack = Pack.open(packs / role)
        cosines = (Teacher(name).embed([pack]) * Teacher(DEFAULT_EMBEDDER).embed([pack])).sum(axis=1)
        low, middle, high = np.quantile(cosines, (0.05, 0.5, 0.95)).tolist()
        mean = float(cosines.mean())
        found[role] = {"crops": len(pack), "mean": mean, "quantile_05": low, "median": middle, "quantile_95": high}
    return found


def times() -> dict[str, dict[str, float]]:
    """Median milliseconds a face on one thread, of one face and of 16 at a time, all models in turn."""
    engine = EngineOptions(threads=1)
    names = [*MODELS, DEFAULT_EMBEDDER]
    embedders = {name: create_embedder(name, engine=engine) for name in names}
    rng = np.random.default_rng(0)
    taken: dict[str, dict[str, list[float]]] = {name: {"one": [], "sixteen": []} for name in names}
    for batch, key in ((1, "one"), (16, "sixteen")):
        crops = rng.integers(0, 256, (batch, 112, 112, 3), np.uint8)
        for number in range(ROUNDS + 3):
            for name, embedder in embedders.items():
                start = time.perf_counter()
                embedder.raw(crops)
                if number >= 3:
                    taken[name][key].append(1e3 * (time.perf_counter() - start) / batch)
    return {name: {key: statistics.median(values) for key, values in both.items()} for name, both in taken.items()}


def measure(data: Path, packs: Path, only: str | None) -> None:
    if only is None:
        record: dict = {"date": datetime.now(UTC).date().isoformat(), "machine": machine(), "times": times()}
        record["models"] = {}
    else:
        record = json.loads((RESULTS / "own-models.json").read_text())
    for name in MODELS if only is None else [only]:
        card = model_card(name, kind="embedder")
        file = PACKAGE / "recognition" / "weights" / f"{name}.onnx"
        run = json.loads((PACKAGE / "recognition" / "weights" / f"{name}{CARD_SUFFIX}").read_text())
        with (RESULTS / f"{name}-log.csv").open() as log:
            lines = log.read().splitlines()
        columns = lines[0].split(",")
        last = dict(zip(columns, lines[-1].split(","), strict=True))
        backbone = BACKBONES[name]
        size = SIZES[f"backbone/{backbone}"]
        record["models"][name] = {
            "backbone": backbone,
            "parameters": size.parameters,
            "macs": size.macs,
            "bytes": file.stat().st_size,
            "sha256": card.sha256,
            "trained_on": card.trained_on,
            "notes": run["notes"],
            "steps": int(last["step"]),
            "minutes": float(last["seconds"]) / 60,
            "cosine": faithfulness(name, packs),
            "accuracy": accuracy(name, data),
        }
    if only is None:
        record["models"]["sface.2021dec"] = {"accuracy": accuracy(DEFAULT_EMBEDDER, data)}
    in_order = (*MODELS, "sface.2021dec")
    record["models"] = {name: record["models"][name] for name in in_order if name in record["models"]}
    write(record)


def write(record: dict) -> None:
    (RESULTS / "own-models.json").write_text(json.dumps(record, indent=1) + "\n")
    (RESULTS / "own-models.md").write_text(page(record))


def page(record: dict) -> str:
    lines = [
        "# Our own small recognisers",
        "",
        "Made by `benchmarks/own_models.py`; how they are trained is in [the guide](../guides/own-models.md). All are",
        "for research only, and are loaded by name only. Accuracy is ten-fold (LFW, 6,000 pairs) and by the official",
        "folds (CFP), people of role `test`, with 95 % intervals over people. TAR is read off the reported pairs",
        "(oracle threshold); FMR and FNMR are those at the shipped threshold for a false match rate of 1e-3. The",
        "teacher was trained on web photos of celebrities, whom LFW and CFP show too.",
        "",
        "| model | LFW | CFP frontal | CFP frontal-profile | LFW TAR at FAR 1e-3 | FMR, FNMR on LFW as shipped |",
        "|---|---|---|---|---|---|",
    ]
    for name, model in record["models"].items():
        cells = []
        for key in PROTOCOLS:
            one = model["accuracy"][key]
            low, high = one["accuracy_interval"]
            cells.append(f"{one['accuracy']:.4f} ({low:.4f} .. {high:.4f})")
        lfw = model["accuracy"]["lfw"]
        shipped = lfw["shipped"]
        lines.append(
            f"| `{name}` | {' | '.join(cells)} | {lfw['tar_at_far']['1e-3']:.4f} "
            f"| {shipped['fmr']:.2e}, {shipped['fnmr']:.4f} |"
        )
    lines += [
        "",
        "| model | parameters | MAC | file | ms a face, one by one | ms a face, 16 at a time | cosine to the teacher |",
        "|---|---|---|---|---|---|---|",
    ]
    measured = [name for name in MODELS if name in record["models"]]
    for name in measured:
        model, timed = record["models"][name], record["times"].get(name)
        cosine = model["cosine"]
        lines.append(
            f"| `{name}` | {model['parameters']:,} | {model['macs'] / 1e6:.1f} M "
            f"| {model['bytes'] / 1e6:.2f} MB | "
            f"{_milliseconds(timed)} | {cosine['develop']['mean']:.3f} develop, "
            f"{cosine['calibrate']['mean']:.3f} calibrate |"
        )
    teacher = record["times"][DEFAULT_EMBEDDER]
    lines += [
        "",
        f"One thread of ONNX Runtime on {record['machine']['processor']}, medians of {ROUNDS} rounds in turn; the "
        f"teacher takes {teacher['one']:.2f} and {teacher['sixteen']:.2f} ms.",
        "",
    ]
    for name in measured:
        model = record["models"][name]
        lines += [
            f"`{name}`: {model['backbone']}, {model['steps']:,} steps in {model['minutes']:.0f} minutes on one core of "
            f"a shared machine; sha256 `{model['sha256'][:16]}`. Trained on {model['trained_on']}. Log: "
            f"[log]({name}-log.csv), [validation]({name}-evaluations.csv).",
            "",
        ]
    return "\n".join(lines)


def _milliseconds(timed: dict[str, float] | None) -> str:
    """Both times of a model; its network may be timed under another name."""
    return "not timed | not timed" if timed is None else f"{timed['one']:.2f} | {timed['sixteen']:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("ship", "measure", "times"))
    parser.add_argument("runs", type=Path, nargs="?")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--packs", type=Path)
    parser.add_argument("--only", choices=list(MODELS))
    given = parser.parse_args()
    if given.what == "ship":
        ship(given.runs, given.data, given.only)
    elif given.what == "measure":
        measure(given.data, given.packs, given.only)
    else:
        record = json.loads((RESULTS / "own-models.json").read_text())
        write(record | {"times": times(), "machine": machine()})


if __name__ == "__main__":
    main()
