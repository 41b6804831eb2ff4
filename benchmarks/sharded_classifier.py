"""Training in two processes against one: loss curves, and memory and time of the sharded classifier.

Loss curves are those of 50 steps on drawn crops, one process against two over gloo. Memory and time are those of the
classifier alone (CosFace, 512 dimensions, SGD with momentum, 16 embeddings a step) through the engine's own update,
each case in fresh processes with one thread. Run it on a quiet machine with 20 GB free.

    python benchmarks/sharded_classifier.py [--classes 10000 100000 1000000] [--steps 3] [--write]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import torch
from peak_memory import peak_bytes
from torch import distributed as dist
from torch import nn

from visavis.data.pack import Pack
from visavis.data.samplers import PeopleByPictures
from visavis.losses.cosface import CosFaceLoss
from visavis.losses.sharded import ShardedClassifier
from visavis.runtime.machine import machine
from visavis.training.gather import gather_rows
from visavis.training.group import joined
from visavis.training.optimisers import Sgd
from visavis.training.recipes.part import Part
from visavis.training.recipes.recipe import RecogniserRecipe
from visavis.training.recipes.run import train_recogniser
from visavis.training.recipes.sharded import Sharded
from visavis.training.schedules import Constant
from visavis.training.settings import Settings
from visavis.training.task import Task
from visavis.training.updates import Updates

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "examples"))

from recogniser_task import patterns  # noqa: E402
from split_recogniser import SETTINGS, train_split  # noqa: E402
from stamp import stamp  # noqa: E402

RESULTS = ROOT / "docs" / "results"
DIMENSION, ROWS = 512, 16
CLASSES = [10_000, 100_000, 1_000_000]
SIZES, RATES = (1, 2), (1.0, 0.1)
CURVE_STEPS = SETTINGS.steps
SCALE = {"scale": 8.0}
CURVES = {
    "CosFace": {"options": SCALE},
    "CosFace, split": {"options": SCALE, "how": {}},
    "ArcFace, split, filter 0.4": {"loss": "loss/arcface", "options": SCALE, "how": {"filter": 0.4}},
    "AdaFace, split": {"loss": "loss/adaface", "options": SCALE, "how": {}},
    "ElasticFace-Arc+, split": {"loss": "loss/elastic-arc-plus", "options": SCALE, "how": {}},
    "softmax, split": {"loss": "loss/softmax", "how": {}},
    "supervised contrastive": {"loss": "loss/supervised-contrastive"},
    "triplets": {"loss": "loss/triplet"},
    "UNPG": {"loss": "loss/unpg", "options": {"head_options": SCALE}},
    "CosFace, split, on MobileFaceNet": {"options": SCALE, "how": {}, "backbone": "backbone/mobilefacenet-tiny"},
}
"""What is trained for a loss curve; those that are not split compare the crops of the whole batch."""
CONTROL = "CosFace, split, on MobileFaceNet"
"""What is trained in one process once more, with two threads: how much the order of sums does by itself."""
DEFAULT = {"loss": "loss/cosface", "options": {}, "how": None, "backbone": None, "threads": 1}

ABOUT = """
Made by `benchmarks/sharded_classifier.py` on {date}, commit `{commit}`, {machine}, torch {torch}, load before it:
{load}. Processes are connected by gloo on one machine and have one thread each.
"""


class Head(Task):
    """Embeddings that are drawn, and the classifier."""

    def __init__(self, loss: ShardedClassifier) -> None:
        super().__init__()
        self.loss = loss
        self.embeddings = nn.Parameter(torch.randn(ROWS, DIMENSION, generator=torch.Generator().manual_seed(0)))

    def parameter_groups(self):
        """The class centres."""
        return {"head": list(self.loss.parameters())}

    def shards(self):
        """All of them."""
        return {f"loss.{key}": shard for key, shard in self.loss.shards().items()}

    def step(self, batch, state):
        """The loss of labels that are drawn."""
        rows = slice(state.group.rank * ROWS // state.group.size, (state.group.rank + 1) * ROWS // state.group.size)
        with state.common_randomness():
            whole = gather_rows(self.embeddings[rows].detach().requires_grad_(), state.group)
            return {"loss": self.loss(whole, gather_rows(batch[rows], state.group))}


def work_memory(case):
    """In each process of a case: peak memory above that of the imports, bytes of what is held, seconds a step."""
    torch.set_num_threads(1)
    before = peak_bytes()
    with joined() as group:
        loss = ShardedClassifier(
            CosFaceLoss, DIMENSION, case["classes"], group=group, sample_rate=case["rate"], options={"margin": 0.4}
        )
        task = Head(loss)
        settings = Settings(steps=case["steps"], optimisers={"*": Sgd(rate=0.1, schedule=Constant())})
        with tempfile.TemporaryDirectory() as folder:
            updates = Updates(
                task, settings, steps=case["steps"], steps_per_epoch=1.0, folder=Path(folder), group=group
            )
            seconds = []
            for step in range(case["steps"]):
                rng = torch.Generator().manual_seed(step)
                labels = torch.randint(case["classes"], (ROWS,), generator=rng)
                group.objects(None)
                began = time.perf_counter()
                losses = updates.run(step, [labels])
                seconds.append(time.perf_counter() - began)
        moments = [
            value for one in updates.state_dict()["optimisers"]["head"]["state"].values() for value in one.values()
        ]
        result = {
            "peak": peak_bytes() - before,
            "centres": sum(one.numel() * 4 for one in loss.parameters()),
            "moments": sum(one.numel() * 4 for one in moments if isinstance(one, torch.Tensor)),
            "seconds": statistics.median(seconds[1:]),
            "loss": losses["loss"],
        }
        return group.objects(result)


def work_curve(case):
    """In each process of a case: the losses of a run on drawn crops."""
    torch.set_num_threads(case["threads"])
    losses = []

    def observe(report):
        losses.append(report.losses["loss"])

    with joined() as group:
        if case["backbone"] is None:
            train_split(
                Path(case["pack"]),
                Path(case["out"]),
                loss=case["loss"],
                options=case["options"],
                how=None if case["how"] is None else Sharded(**case["how"]),
                observe=observe,
            )
        else:
            recipe = RecogniserRecipe(
                backbone=Part(case["backbone"], {"size": 32, "dimension": 32}),
                loss=Part(case["loss"], case["options"]),
                training=replace(SETTINGS, threads=case["threads"]),
                batch=12,
                order=PeopleByPictures(3),
                classifier=Sharded(**case["how"]),
            )
            train_recogniser(recipe, Pack.open(case["pack"]), out=case["out"], observe=observe)
        return group.objects(losses)


def work_curves(cases):
    """In each process of some cases, one after the other: the losses of each."""
    found = []
    for case in cases:
        print(f"{case['loss']}, processes: {os.environ['WORLD_SIZE']}", file=sys.stderr, flush=True)
        found.append(work_curve(case))
    return found


def launch(kind, case, size):
    """What a case gives, run in fresh processes."""
    with tempfile.TemporaryDirectory() as folder:
        meeting = f"file://{folder}/meet"
        processes = [
            subprocess.Popen(
                [sys.executable, __file__, "--work", kind, json.dumps(case), meeting],
                env={**os.environ, "RANK": str(rank), "WORLD_SIZE": str(size), "OMP_NUM_THREADS": "1"},
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(size)
        ]
        told = [process.communicate()[0] for process in processes]
        if any(process.returncode for process in processes):
            raise SystemExit(f"{kind} {case} in {size} processes failed")
        return json.loads(told[0].splitlines()[-1])


def worker(kind, case, meeting):
    """One process of a case."""
    size = int(os.environ["WORLD_SIZE"])
    if size > 1:
        dist.init_process_group("gloo", init_method=meeting, rank=int(os.environ["RANK"]), world_size=size)
    found = {"memory": work_memory, "curves": work_curves}[kind](case)
    print(json.dumps(found), flush=True)
    if size > 1:
        dist.destroy_process_group()


def memory(classes, steps):
    """One row for each number of classes, sample rate and number of processes."""
    rows = []
    for count in classes:
        for rate in RATES:
            for size in SIZES:
                parts = launch("memory", {"classes": count, "rate": rate, "steps": steps}, size)
                rows.append(
                    {
                        "classes": count,
                        "sample_rate": rate,
                        "processes": size,
                        "peak_mb": round(max(part["peak"] for part in parts) / 1e6),
                        "centres_mb": round(max(part["centres"] for part in parts) / 1e6, 1),
                        "moments_mb": round(max(part["moments"] for part in parts) / 1e6, 1),
                        "seconds": round(max(part["seconds"] for part in parts), 4),
                        "loss": parts[0]["loss"],
                    }
                )
                print(json.dumps(rows[-1]), flush=True)
    return rows


def curves():
    """One row for each loss: how far two processes are from one."""
    with tempfile.TemporaryDirectory() as folder:
        Pack.write(Path(folder) / "pack", *patterns(9, 6, seed=1))

        def losses(names, size, threads=1):
            about = {"pack": f"{folder}/pack", "threads": threads}
            cases = [
                DEFAULT | CURVES[name] | about | {"out": f"{folder}/{n}-{size}-{threads}"}
                for n, name in enumerate(names)
            ]
            found = launch("curves", cases, size)
            for name, parts in zip(names, found, strict=True):
                if any(part != parts[0] for part in parts):
                    raise SystemExit(f"{name}: the processes of one run tell different losses")
            return {name: parts[0] for name, parts in zip(names, found, strict=True)}

        one, two = (losses(list(CURVES), size) for size in SIZES)
        control = losses([CONTROL], 1, threads=2)[CONTROL]
    pairs = [(name, one[name], two[name]) for name in CURVES]
    pairs.append((f"{CONTROL}, one process, 1 and 2 threads", one[CONTROL], control))
    rows = [{"loss": name, "first": left[0], "last": left[-1], **_gap(left, right)} for name, left, right in pairs]
    print("\n".join(map(json.dumps, rows)), flush=True)
    return rows


def _gap(one, other):
    """The largest difference of two curves, over the first ten steps and over all."""
    gaps = [abs(left - right) for left, right in zip(one, other, strict=True)]
    return {"of_ten": max(gaps[:10]), "of_all": max(gaps)}


def _about_curves(losses):
    """What the table of loss curves shows."""
    told = (
        f"Losses of {CURVE_STEPS} steps on drawn crops in batches of 12, by `examples/split_recogniser.py`, whose "
        "network has no kinks: the largest difference of a step."
    )
    if CONTROL in losses:
        told += " One row is of MobileFaceNet, which has kinks."
    if losses[-1] != CONTROL and losses[-1].startswith(CONTROL):
        told += (
            " The last row is one process of it against itself with another number of threads, which sums in another "
            "order: what PReLU makes of that alone."
        )
    return textwrap.wrap(told, 110, break_on_hyphens=False)


def page(record):
    """The page of results."""
    lines = ["# Training in several processes", ""]
    lines += [textwrap.fill(ABOUT.strip().format(**record), 110, break_on_hyphens=False, break_long_words=False), ""]
    lines += [
        "## Two processes against one",
        "",
        *_about_curves([row["loss"] for row in record["curves"]]),
        "",
        "| loss | first step | last step | largest difference, 10 steps | 50 steps |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['loss']} | {row['first']:.4f} | {row['last']:.4f} | {row['of_ten']:.1e} | {row['of_all']:.1e} |"
        for row in record["curves"]
    ]
    lines += [
        "",
        "## The sharded classifier",
        "",
        f"CosFace, {DIMENSION} dimensions, SGD with momentum, {ROWS} embeddings a step. Megabytes of each process,",
        f"above what the imports take; seconds of a step are the median of {record['steps'] - 1} after the first.",
        "",
        "| classes | sample rate | processes | peak | centres | momentum | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['classes']:,} | {row['sample_rate']:g} | {row['processes']} | {row['peak_mb']:,} | "
        f"{row['centres_mb']:,.1f} | {row['moments_mb']:,.1f} | {row['seconds']:.3f} |"
        for row in record["memory"]
    ]
    return "\n".join([*lines, ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, nargs="+", default=CLASSES)
    parser.add_argument("--steps", type=int, default=3, help="of a classifier; the first is not timed")
    parser.add_argument("--write", action="store_true", help="write docs/results/distributed.json and its page")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        kind, case, meeting = options.work
        worker(kind, json.loads(case), meeting)
        return
    if options.steps < 2:
        parser.error("--steps is 2 or more: the first step is not timed")
    if options.write and options.classes != CLASSES:
        parser.error("--write is for the whole table; leave --classes out, or --write")
    load = round(os.getloadavg()[0], 1)
    record = {
        **stamp(),
        "machine": "{processor}, {cores} cores, {system}".format(**machine()),
        "torch": str(torch.__version__),
        "load": load,
        "steps": options.steps,
        "curves": curves(),
        "memory": memory(options.classes, options.steps),
    }
    if options.write:
        (RESULTS / "distributed.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        (RESULTS / "distributed.md").write_text(page(record), encoding="utf-8")
    else:
        print(page(record))


if __name__ == "__main__":
    main()
