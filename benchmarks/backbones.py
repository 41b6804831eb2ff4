"""How large the registered backbones are and how long a face takes: docs/results/backbones.json and backbones.md.

Time is that of one pass in evaluation mode, fp32, in torch, on random crops; for the small ones also of a training
step, forward and backward. Networks take turns with nothing else: run it on a quiet machine.

    python benchmarks/backbones.py [--only NAME ...] [--write]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from importlib.metadata import version
from pathlib import Path

import torch
from stamp import stamp

from visavis import registry
from visavis.nn.backbones.table import SIZES
from visavis.runtime.machine import machine

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
THREADS = (1, 2)
LIGHT = 1_500_000_000
"""Operations a crop up to which a batch of 32 is timed; above it one of 4, so that the whole takes three minutes."""
TRAINED = 500_000_000
"""Operations a crop up to which a training step is timed."""
TRAINING_BATCH = 128


def _median(work, *, seconds, rounds):
    """Median seconds of a call after one that is not counted; at least two, more while there is time."""
    work()
    times, began = [], time.perf_counter()
    while len(times) < 2 or (len(times) < rounds and time.perf_counter() - began < seconds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _crops(network, batch):
    generator = torch.Generator().manual_seed(0)
    crops = torch.rand(batch, network.contract.channels, *network.contract.size, generator=generator) * 2 - 1
    return crops.to(memory_format=torch.channels_last)


def _forward(network, batch):
    crops = _crops(network, batch)
    with torch.inference_mode():
        return 1e3 * _median(lambda: network(crops), seconds=1.0, rounds=9) / batch


def _training(network):
    crops = _crops(network, TRAINING_BATCH)
    network.train()

    def step():
        network.zero_grad(set_to_none=True)
        network(crops).square().mean().backward()

    return 1e3 * _median(step, seconds=1.5, rounds=9) / TRAINING_BATCH


def measure(name):
    """One row of the record."""
    torch.manual_seed(0)
    network = registry.create(name).eval().to(memory_format=torch.channels_last)
    size = SIZES[name]
    batch = 32 if size.macs <= LIGHT else 4
    row = {
        "name": name,
        "line": registry.describe(name).line,
        "parameters": size.parameters,
        "macs": size.macs,
        "dimension": network.dimension,
        "size": network.contract.size[0],
        "batch": batch,
        "ms": {},
        "training_ms": {},
    }
    for threads in THREADS:
        torch.set_num_threads(threads)
        row["ms"][str(threads)] = {"1": _forward(network, 1), str(batch): _forward(network, batch)}
        if size.macs <= TRAINED:
            row["training_ms"][str(threads)] = _training(network)
            network.eval()
    return row


def page(record):
    """The record as a page."""
    lines = [
        "# Backbones",
        "",
        "Made by `benchmarks/backbones.py` from [its record](backbones.json).",
        "",
        "| backbone | parameters, million | operations, billion | crop | values | ms a face, batch of 1: 1 thread "
        "| 2 threads | in batches: 1 thread | 2 threads | training, 1 thread | 2 threads |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(record["rows"], key=lambda row: row["macs"]):
        batch = str(row["batch"])
        times = [row["ms"][str(threads)][size] for size in ("1", batch) for threads in THREADS]
        training = [row["training_ms"].get(str(threads)) for threads in THREADS]
        cells = [f"{value:.3g}" for value in times] + ["" if value is None else f"{value:.3g}" for value in training]
        lines.append(
            f"| `{row['name'].partition('/')[2]}` | {row['parameters'] / 1e6:.2f} | {row['macs'] / 1e9:.3g} "
            f"| {row['size']} | {row['dimension']} | {' | '.join(cells)} |"
        )
    lines += [
        "",
        "Operations are multiply-accumulates of convolutions, linear layers and attention of one crop "
        "(`visavis.nn.macs.count_macs`). Batches are of 32 crops, of 4 above "
        f"{LIGHT / 1e9:.1f} billion operations; a training step is forward and backward of {TRAINING_BATCH} crops. "
        "Medians of two to nine passes in fp32, channels last, "
        f"torch {record['torch']} on {record['machine']['cores']} cores of {record['machine']['processor']}, load "
        f"{record['load']:.1f} before the run; {record['date']}, commit {record['commit']}.",
        "",
    ]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=registry.names("backbone/*"), metavar="NAME")
    parser.add_argument("--write", action="store_true", help="Write the record and its page; needs every backbone.")
    options = parser.parse_args()
    record = {
        **stamp(),
        "torch": version("torch"),
        "machine": machine(),
        "load": os.getloadavg()[0],
        "rows": [],
    }
    for name in options.only:
        row = measure(registry.resolve(name, kind="backbone"))
        record["rows"].append(row)
        print(row["name"], json.dumps(row["ms"]), json.dumps(row["training_ms"]), flush=True)
    if options.write:
        if {row["name"] for row in record["rows"]} != set(SIZES):
            parser.error("--write needs every backbone; leave --only out")
        (RESULTS / "backbones.json").write_text(json.dumps(record, indent=1) + "\n")
        (RESULTS / "backbones.md").write_text(page(record))


if __name__ == "__main__":
    main()
