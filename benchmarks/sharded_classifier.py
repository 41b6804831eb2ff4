"""Training in two processes against one: loss curves, and memory and time of the sharded classifier.

Loss curves are those of 50 steps on drawn crops, one process against two over gloo. Memory and time are those of the
classifier alone (CosFace, 512 dimensions, SGD with momentum, 64 embeddings a step) through the engine's own update.
Each case has fresh processes with one thread. Run it on a quiet machine with 24 GB.

    python benchmarks/sharded_classifier.py [--classes 10000 100000 1000000] [--steps 7] [--write]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import torch
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

RESULTS = ROOT / "docs" / "results"
DIMENSION, ROWS = 512, 64
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
    before = _peak()
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
            "peak": _peak() - before,
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


def _peak():
    """Bytes of this process at its largest, so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


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
            raise SystemExit(f"{case} in {size} processes failed")
        return json.loads(told[0].splitlines()[-1])


def worker(kind, case, meeting):
    """One process of a case."""
    size = int(os.environ["WORLD_SIZE"])
    if size > 1:
        dist.init_process_group("gloo", init_method=meeting, rank=int(os.environ["RANK"]), world_size=size)
    found = {"memory": work_memory, "curve": work_curve}[kind](case)
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
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        Pack.write(Path(folder) / "pack", *patterns(9, 6, seed=1))

        def losses(name, size, threads=1):
            out = f"{folder}/run-{len(list(Path(folder).iterdir()))}"
            told = DEFAULT | CURVES[name] | {"pack": f"{folder}/pack", "out": out, "threads": threads}
            parts = launch("curve", told, size)
            if any(part != parts[0] for part in parts):
                raise SystemExit(f"{name}: the processes of one run tell different losses")
            return parts[0]

        for name in CURVES:
            one = losses(name, 1)
            rows.append({"loss": name, "first": one[0], "last": one[-1], **_gap(one, losses(name, 2))})
            print(json.dumps(rows[-1]), flush=True)
        one = losses(CONTROL, 1)
        rows.append(
            {"loss": f"{CONTROL}, one process, 1 and 2 threads", "first": one[0], "last": one[-1],
             **_gap(one, losses(CONTROL, 1, 2))}
        )  # fmt: skip
        print(json.dumps(rows[-1]), flush=True)
    return rows


def _gap(one, other):
    """The largest difference of two curves, over the first ten steps and over all."""
    gaps = [abs(left - right) for left, right in zip(one, other, strict=True)]
    return {"of_ten": max(gaps[:10]), "of_all": max(gaps)}


def page(record):
    """The page of results."""
    lines = ["# Training in several processes", ""]
    lines += [textwrap.fill(ABOUT.strip().format(**record), 110, break_on_hyphens=False, break_long_words=False), ""]
    lines += [
        "## Two processes against one",
        "",
        f"Losses of {CURVE_STEPS} steps on drawn crops in batches of 12, by `examples/split_recogniser.py`, whose",
        "network has no kinks, and on MobileFaceNet: the largest difference of a step. The last row is one process",
        "against itself with another number of threads, which sums in another order: what PReLU makes of that alone.",
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
        "above what the imports take; seconds of a step are the median.",
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
    parser.add_argument("--classes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--write", action="store_true", help="write docs/results/distributed.json and its page")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        kind, case, meeting = options.work
        worker(kind, json.loads(case), meeting)
        return
    load = round(os.getloadavg()[0], 1)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    record = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit.stdout.strip(),
        "machine": "{processor}, {cores} cores, {system}".format(**machine()),
        "torch": str(torch.__version__),
        "load": load,
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
