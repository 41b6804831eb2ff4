"""Time of a training step of the ArcFace head, against pytorch-metric-learning's.

A step is forward and backward of the loss alone, to embeddings and class centres. Both sides get the same batch,
the same centres and the same form past pi, take turns, and must agree in loss and gradients first.

    python benchmarks/head_step.py [--threads 2] [--rounds 15] [--write]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import textwrap
import time
from importlib.metadata import version
from pathlib import Path

import torch
from pytorch_metric_learning.losses import ArcFaceLoss as Peer
from stamp import stamp

from visavis.losses.arcface import ArcFaceLoss

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
DIMENSION = 512
SIZES = ((64, 1_000), (128, 10_000), (512, 10_000), (128, 85_742))
"""Rows of a batch and number of classes; 85,742 are the people of MS1MV2."""

ABOUT = """
Made by `benchmarks/head_step.py` on {date}, commit `{commit}`, {machine}, threads: {threads}, load before it: {load},
torch {torch}, against pytorch-metric-learning {pytorch_metric_learning}. A step is forward and backward of the loss
alone, float32, {dimension} dimensions. Both sides get the same batch and centres and agree in loss and gradients
first; they take turns over {rounds} rounds. The ratio is theirs over ours, the median of the rounds, with quartiles.
"""


def _sides(rows, classes):
    generator = torch.Generator().manual_seed(0)
    ours = ArcFaceLoss(DIMENSION, classes, past_pi="linear")
    peer = Peer(num_classes=classes, embedding_size=DIMENSION, margin=math.degrees(ours.margin), scale=ours.scale)
    with torch.no_grad():
        ours.weight.normal_(generator=generator)
        peer.W.copy_(ours.weight.T)
    embeddings = torch.randn(rows, DIMENSION, generator=generator)
    labels = torch.randint(0, classes, (rows,), generator=generator)
    return ours, peer, embeddings, labels


def _step(loss, embeddings, labels):
    inputs = embeddings.clone().requires_grad_()
    loss.zero_grad()
    began = time.perf_counter()
    value = loss(inputs, labels)
    value.backward()
    return time.perf_counter() - began, value.detach(), inputs.grad


def _require_agreement(ours, peer, embeddings, labels):
    _, mine, my_gradient = _step(ours, embeddings, labels)
    _, theirs, their_gradient = _step(peer, embeddings, labels)
    torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(my_gradient, their_gradient, rtol=1e-2, atol=1e-5)
    torch.testing.assert_close(ours.weight.grad, peer.W.grad.T, rtol=1e-2, atol=1e-5)


def measure(rows, classes, rounds):
    ours, peer, embeddings, labels = _sides(rows, classes)
    _require_agreement(ours, peer, embeddings, labels)
    seconds = {"ours": [], "theirs": []}
    for turn in range(rounds):
        order = (("ours", ours), ("theirs", peer))
        for side, loss in order if turn % 2 else reversed(order):
            seconds[side].append(_step(loss, embeddings, labels)[0])
    ratios = [theirs / mine for mine, theirs in zip(seconds["ours"], seconds["theirs"], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return {
        "rows": rows,
        "classes": classes,
        "ours_ms": round(1e3 * statistics.median(seconds["ours"]), 2),
        "theirs_ms": round(1e3 * statistics.median(seconds["theirs"]), 2),
        "ratio": round(middle, 2),
        "ratio_quartiles": [round(low, 2), round(high, 2)],
    }


def page(record):
    told = record | {name.replace("-", "_"): number for name, number in record["versions"].items()}
    lines = [
        "# A step of the ArcFace head",
        "",
        textwrap.fill(
            ABOUT.strip().format(dimension=DIMENSION, **told), 110, break_on_hyphens=False, break_long_words=False
        ),
        "",
        "| rows | classes | ours, ms | theirs, ms | ratio | quartiles |",
        "|---|---|---|---|---|---|",
    ]
    for row in record["results"]:
        low, high = row["ratio_quartiles"]
        lines.append(
            f"| {row['rows']} | {row['classes']:,} | {row['ours_ms']:.1f} | {row['theirs_ms']:.1f} | "
            f"{row['ratio']:.2f} | {low:.2f} to {high:.2f} |"
        )
    lines += [
        "",
        "The margin acts on one cosine a row, no matrix of ones marks it, and the centres are never copied to unit",
        "length: their norms divide the products instead (`visavis.losses.cosines`). With as many rows as dimensions",
        "the three products of matrices, which both sides do alike, are nearly all of the step.",
        "",
    ]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", action="store_true", help="write docs/results/head-step.json and its page")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    results, load = [], round(os.getloadavg()[0], 1)
    for rows, classes in SIZES:
        results.append(measure(rows, classes, options.rounds))
        print(json.dumps(results[-1]), flush=True)
    record = {
        **stamp(),
        "machine": _machine(),
        "load": load,
        "threads": options.threads,
        "rounds": options.rounds,
        "versions": {name: version(name) for name in ("torch", "pytorch-metric-learning")},
        "results": results,
    }
    if options.write:
        (RESULTS / "head-step.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        (RESULTS / "head-step.md").write_text(page(record), encoding="utf-8")


def _machine():
    """The processor by name where Linux tells it."""
    told = Path("/proc/cpuinfo")
    names = [line for line in told.read_text().splitlines() if line.startswith("model name")] if told.exists() else []
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
