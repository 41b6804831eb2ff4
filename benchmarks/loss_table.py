"""Every loss with one small network and one recipe: docs/results/losses.json and losses.md.

    python benchmarks/loss_table.py ../shared/data [--work FOLDER] [--only pages|search]

Trains each loss of the registry, its margin at the paper's value, on CelebA people of role ``train``, three seeds each.
One learning rate for all, the one with the best mean AUC over some losses on people of role ``develop``. Verification
on LFW's 6,000 pairs, role ``test``: AUC, and TAR at FAR 1e-2 (an oracle threshold), as means over seeds. Intervals and
differences to ArcFace resample people, and seeds with them. Two processes train side by side, one thread each. What is
done is kept in the folder, and a second call goes on. At most 25 minutes on two cores.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import hashlib
import json
import platform
import shutil
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from stamp import stamp

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs/results"
SEEDS = (0, 1, 2)
RATES = (0.02, 0.05, 0.1, 0.2)
SEARCHED = ("loss/arcface", "loss/softmax", "loss/triplet")
EPOCHS = 11.0
BATCH, PICTURES = 128, 4
FAR = 1e-2
RESAMPLES = 400
ORIGIN = "loss/arcface"
TEACHER = "embedder/sface"


def variants() -> dict[str, dict[str, Any]]:
    """Row of the table -> what of the recipe is special to it."""
    from visavis import registry

    rows: dict[str, dict[str, Any]] = {}
    for name in registry.names("loss/*"):
        kind = registry.load(name)
        if name == "loss/symface":  # a term beside a loss of whole faces
            from visavis.training.recipes.symmetry import Symmetry

            rows["loss/arcface + loss/symface"] = {"loss": ORIGIN, "symmetry": Symmetry()}
        else:
            rows[name] = {"loss": name, "teacher": None if kind.target == "label" else TEACHER}
    return rows


def recipe(row: dict[str, Any], *, rate: float, seed: int):
    """The one recipe."""
    from visavis.data.augmentation.augmentation import Augmentation
    from visavis.data.samplers import PeopleByPictures
    from visavis.training.optimisers import Sgd
    from visavis.training.recipes.part import Part
    from visavis.training.recipes.recipe import RecogniserRecipe
    from visavis.training.schedules import Cosine
    from visavis.training.settings import Settings

    return RecogniserRecipe(
        backbone=Part("backbone/mobilefacenet-tiny"),
        loss=Part(row["loss"]),
        training=Settings(
            epochs=EPOCHS,
            seed=seed,
            optimisers={"*": Sgd(rate=rate, clip=5.0, schedule=Cosine(warmup=1.0))},
            evaluate_every=None,
            log_every=20,
            checkpoint_every=10_000,
            keep=1,
            tensorboard=False,
            threads=1,
        ),
        batch=BATCH,
        order=PeopleByPictures(PICTURES),
        augmentation=Augmentation.flip_only(),
        symmetry=row.get("symmetry"),
        teacher=row.get("teacher"),
    )


def train_one(work: str, name: str, row: dict[str, Any], rate: float, seed: int) -> dict[str, Any]:
    """Train, measure on develop people and embed the test crops; from the folder when it was done before."""
    import torch

    from visavis.data.pack import Pack
    from visavis.errors import NonFiniteError
    from visavis.training.recipes.run import train_recogniser

    torch.set_num_threads(1)
    folder = Path(work) / "runs" / f"{name.replace('/', '-').replace(' ', '')}-{rate:g}-{seed}"
    packs = {role: Pack.open(Path(work) / "packs" / role) for role in ("train", "develop", "test")}
    chosen = recipe(row, rate=rate, seed=seed)
    key = _key(chosen, packs)
    done = folder / "done.json"
    if done.exists() and json.loads(done.read_text())["key"] == key:
        return json.loads(done.read_text())
    shutil.rmtree(folder, ignore_errors=True)
    begin = time.perf_counter()
    record: dict[str, Any] = {"loss": name, "rate": rate, "seed": seed, "key": key}
    try:
        outcome = train_recogniser(chosen, packs["train"], develop=packs["develop"], out=folder)
        record |= {"develop_auc": outcome.evaluation["auc"], "develop": dict(outcome.evaluation)}
        _embed_test(folder, packs["test"])
    except NonFiniteError as error:
        record |= {"develop_auc": 0.0, "failed": error.message}
    record["seconds"] = time.perf_counter() - begin
    done.write_text(json.dumps(record))
    return record


def _key(chosen: Any, packs: dict[str, Any]) -> str:
    """What a run depends on: recipe, packs, and the code of these rooms."""
    digest = hashlib.sha256(json.dumps(chosen.to_record(), sort_keys=True).encode())
    for role in sorted(packs):
        digest.update(packs[role].meta.fingerprint.encode())
    for room in ("losses", "nn", "training", "data"):
        for file in sorted((ROOT / "src/visavis" / room).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _embed_test(folder: Path, pack: Any) -> None:
    """Unit embeddings of the crops that the pairs need; NaN for the others."""
    import torch

    from visavis.nn.pixels import network_input
    from visavis.training.recipes.trained import read_run

    backbone = read_run(folder, which="last").backbone
    wanted = np.load(folder.parents[1] / "wanted.npy")
    vectors = np.full((len(pack), backbone.dimension), np.nan, np.float32)
    with torch.no_grad():
        for rows in np.split(wanted, range(256, len(wanted), 256)):
            pixels = torch.from_numpy(np.array(pack.pixels[rows]))
            vectors[rows] = backbone(network_input(pixels, backbone.contract)).numpy()
    np.save(folder / "test.npy", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def pair_rows(pairs: Any, pack: Any) -> tuple[np.ndarray, np.ndarray]:
    """Rows of both sides of the pairs; the number of rows for a picture without a crop, whose pairs fail."""
    row = {name.partition("/")[2]: number for number, name in enumerate(pack.names)}
    row |= {name: number for number, name in enumerate(pack.names)}
    left, right = (np.array([row.get(name, len(pack)) for name in side]) for side in (pairs.image1, pairs.image2))
    return left, right


def make_packs(data: Path, work: Path) -> None:
    """Crops of the three roles, once."""
    visavis = str(Path(sys.executable).with_name("visavis"))
    celeba, suspects = data / "celeba_ids/celeba_ids.tar", f"{data}/celeba_ids/labels.csv:suspect"
    sources = {"train": [celeba, "--without", suspects], "develop": [celeba, "--without", suspects]}
    sources["test"] = [data / "lfw/lfw.tar"]
    (work / "packs").mkdir(parents=True, exist_ok=True)
    for role, words in sources.items():
        out = work / "packs" / role
        if not (out / "meta.json").exists():
            command = [visavis, "pack", *map(str, words), "--role", role, "--out", str(out)]
            subprocess.run(command, check=True)


def search_rate(pool: ProcessPoolExecutor, work: Path, rows: dict[str, dict[str, Any]]) -> tuple[float, list[dict]]:
    """The rate with the best mean AUC over some losses on develop people, seed 0."""
    jobs = [pool.submit(train_one, str(work), name, rows[name], rate, 0) for name in SEARCHED for rate in RATES]
    found = [job.result() for job in jobs]
    values = {(one["loss"], one["rate"]): one["develop_auc"] for one in found}
    table = np.array([[values[name, rate] for rate in RATES] for name in SEARCHED])
    return RATES[int(table.mean(0).argmax())], found


def scored(work: Path, pairs: Any, runs: list[dict[str, Any]]) -> list[np.ndarray]:
    """Similarities of the test pairs of each run."""
    from visavis.data.pack import Pack

    left, right = pair_rows(pairs, Pack.open(work / "packs/test"))
    found = []
    for run in runs:
        name = f"{run['loss'].replace('/', '-').replace(' ', '')}-{run['rate']:g}-{run['seed']}"
        vectors = np.load(work / "runs" / name / "test.npy")
        vectors = np.concatenate([vectors, np.full((1, vectors.shape[1]), np.nan, vectors.dtype)])
        found.append(np.einsum("nd,nd->n", vectors[left], vectors[right]))
    return found


def measure(work: Path, data: Path, runs: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Means over seeds with intervals, and paired differences to ArcFace, over people and seeds."""
    from visavis.metrics import auc_statistic, tar_at_far_statistic
    from visavis.protocols.pairs import read_pairs
    from visavis.protocols.people import pair_people

    pairs = read_pairs(data / "lfw/pairs.txt")
    people = pair_people(pairs)
    same = np.asarray(pairs.same)
    statistics: dict[str, dict[str, list]] = {}
    for name, several in runs.items():
        scores = scored(work, pairs, several)
        statistics[name] = {
            "auc": [auc_statistic(one, same) for one in scores],
            "tar": [tar_at_far_statistic(one, same, FAR) for one in scores],
        }
    return {
        name: {
            measure: _intervals(kinds[measure], statistics[ORIGIN][measure], people, len(same))
            for measure in ("auc", "tar")
        }
        for name, kinds in statistics.items()
    }


def _intervals(own: list, other: list, people: Any, count: int) -> dict[str, Any]:
    from visavis.metrics import paired_difference

    def mean(statistics: list, rng: np.random.Generator):
        return lambda weights: float(
            np.mean([statistics[k](weights) for k in rng.integers(len(statistics), size=len(statistics))])
        )

    ones = np.ones(count)
    difference = [a(ones) - b(ones) for a, b in zip(own, other, strict=False)]
    value = paired_difference(
        people.person1, people.person2, mean(own, np.random.default_rng(1)), lambda weights: 0.0,
        resamples=RESAMPLES, rng=np.random.default_rng(0),
    )  # fmt: skip
    both = [(lambda weights, a=a, b=b: a(weights) - b(weights)) for a, b in zip(own, other, strict=False)]
    gap = paired_difference(
        people.person1, people.person2, mean(both, np.random.default_rng(1)), lambda weights: 0.0,
        resamples=RESAMPLES, rng=np.random.default_rng(0),
    )  # fmt: skip
    return {
        "mean": float(np.mean([one(ones) for one in own])),
        "seeds": [float(one(ones)) for one in own],
        "interval": [value.low, value.high],
        "difference": float(np.mean(difference)),
        "difference_interval": [gap.low, gap.high],
        "separates": bool(gap.low > 0 or gap.high < 0),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, default=Path("/tmp/visavis-loss-table"))
    parser.add_argument("--only", choices=["pages", "search"])
    arguments = parser.parse_args()
    if arguments.only == "search":
        search_again(arguments.data, arguments.work)
    elif arguments.only != "pages":
        run(arguments.data, arguments.work)
    record = json.loads((RESULTS / "losses.json").read_text())
    (RESULTS / "losses.md").write_text(page(record))


def search_again(data: Path, work: Path) -> None:
    """Only the search of the rate, into the record that is there; it must find the rate of that record."""
    record = json.loads((RESULTS / "losses.json").read_text())
    make_packs(data, work)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        rate, record["search"] = search_rate(pool, work, variants())
    if rate != record["rate"]:
        sys.exit(f"the search finds {rate:g}, the table was made with {record['rate']:g}: make it again")
    (RESULTS / "losses.json").write_text(json.dumps(record, indent=1) + "\n")


def run(data: Path, work: Path) -> None:
    from visavis.data.pack import Pack
    from visavis.protocols.ledger import Ledger
    from visavis.protocols.pairs import read_pairs

    begin = time.perf_counter()
    make_packs(data, work)
    packed = time.perf_counter()
    test = Pack.open(work / "packs/test")
    rows_of_pairs = np.unique(np.concatenate(pair_rows(read_pairs(data / "lfw/pairs.txt"), test)))
    np.save(work / "wanted.npy", rows_of_pairs[rows_of_pairs < len(test)])
    rows = variants()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        rate, search = search_rate(pool, work, rows)
        print(f"rate {rate:g} after {time.perf_counter() - begin:.0f} s", flush=True)
        jobs = {
            name: [pool.submit(train_one, str(work), name, row, rate, seed) for seed in SEEDS]
            for name, row in rows.items()
        }
        runs = {}
        for name, several in jobs.items():
            runs[name] = [job.result() for job in several]
            print(f"{name:34}", *(f"{one['develop_auc']:.4f}" for one in runs[name]), flush=True)
    good = {name: several for name, several in runs.items() if not any("failed" in one for one in several)}
    if ORIGIN not in good:
        sys.exit(f"{ORIGIN} did not train: {runs[ORIGIN]}")
    measured = measure(work, data, good)
    record = {
        **stamp(),
        "hardware": f"{os.cpu_count()} cores, {platform.machine()}, one thread a run",
        "seconds": round(time.perf_counter() - begin, 1),
        "seconds_of_runs": round(sum(one["seconds"] for one in [*search, *(r for s in runs.values() for r in s)]), 1),
        "seconds_packing": round(packed - begin, 1),
        "ledger": Ledger.load().hash,
        "recipe": replace(recipe(rows[ORIGIN], rate=rate, seed=0), source="").to_record(),
        "rate": rate,
        "search": search,
        "seeds": list(SEEDS),
        "failed": {name: several for name, several in runs.items() if name not in good},
        "rows": {
            name: {
                **measured[name],
                "develop_auc": [one["develop_auc"] for one in runs[name]],
                "seconds": [round(one["seconds"], 1) for one in runs[name]],
                "teacher": rows[name].get("teacher"),
            }
            for name in good
        },
    }
    (RESULTS / "losses.json").write_text(json.dumps(record, indent=1) + "\n")


def page(record: dict[str, Any]) -> str:
    """The table."""
    found = {(one["loss"], one["rate"]): one["develop_auc"] for one in record["search"]}
    losses, tried = sorted({name for name, _ in found}), sorted({rate for _, rate in found})
    seeds, rates = ", ".join(map(str, record["seeds"])), ", ".join(f"{rate:g}" for rate in tried)
    searched, network = ", ".join(f"`{name}`" for name in losses), record["recipe"]["backbone"]["name"]
    lines = [
        "# Losses, one recipe",
        "",
        f"Each loss of the registry trained with one small network (`{network}`, 56 pixels) and one recipe on CelebA "
        f"people of role `train`, its margin and scale at the paper's values, seeds {seeds}. The learning rate, "
        f"{record['rate']:g}, is one for all: the best of {rates} by mean AUC of {searched} on people of "
        "role `develop`. Figures are on LFW's 6,000 pairs, role `test`: means over seeds, with 95 % intervals over "
        "people and seeds. TAR is read at FAR 1e-2 of these very pairs (oracle threshold).",
        "",
        "Differences to ArcFace are paired, over the same pairs and seeds. A cell with **=** does not separate from "
        "ArcFace: zero lies in its interval. With 129 people this table ranks nothing for training at full size; it "
        "shows that each loss trains, and what separates here. The intervals are not corrected for their number: among "
        "so many cells one or two may separate by chance. LFW, like CelebA, shows web celebrities.",
        "",
        "| loss | AUC | difference to ArcFace | TAR at FAR 1e-2 | difference to ArcFace | seconds a run |",
        "|---|---|---|---|---|---|",
    ]
    ranked = sorted(record["rows"].items(), key=lambda item: (item[1]["teacher"] is not None, -item[1]["auc"]["mean"]))
    for name, row in ranked:
        mark = f" (teacher `{row['teacher']}`)" if row["teacher"] else ""
        cells = [_value(row["auc"]), _gap(name, row["auc"]), _value(row["tar"]), _gap(name, row["tar"])]
        lines.append(f"| `{name}`{mark} | {' | '.join(cells)} | {np.mean(row['seconds']):.0f} |")
    for name, several in record["failed"].items():
        lines.append(f"| `{name}` | did not train: {several[0].get('failed', '')} | | | | |")
    lines += [
        "",
        f"AUC on people of role `develop` by rate, seed {record['seeds'][0]}:",
        "",
        f"| loss | {' | '.join(f'{rate:g}' for rate in tried)} |",
        f"|---|{'---|' * len(tried)}",
        *(f"| `{name}` | {' | '.join(f'{found[name, rate]:.4f}' for rate in tried)} |" for name in losses),
        "",
        "Losses with a teacher see embeddings of a network that was trained on millions of pictures, and stand apart.",
        "",
        f"Made in {record['seconds'] / 60:.0f} minutes by `python benchmarks/loss_table.py ../shared/data` on "
        f"{record['date']}, commit {record['commit'][:12]}, {record['hardware']}; ledger {record['ledger'][:12]}; "
        "[record](losses.json).",
        "",
    ]
    return "\n".join(lines)


def _value(cell: dict[str, Any]) -> str:
    low, high = cell["interval"]
    return f"{cell['mean']:.4f} ({low:.4f} .. {high:.4f})"


def _gap(name: str, cell: dict[str, Any]) -> str:
    if name == ORIGIN:
        return "-"
    low, high = cell["difference_interval"]
    return f"{'' if cell['separates'] else '**=** '}{cell['difference']:+.4f} ({low:+.4f} .. {high:+.4f})"


if __name__ == "__main__":
    main()
