"""How long a face takes the Light CNN networks on one thread: docs/results/light-cnn-speed.json and .md.

Exported as `visavis export` does, random weights, ONNX Runtime, fp32. Networks take turns, round by round; it needs a
quiet machine.

    OMP_NUM_THREADS=1 python benchmarks/light_cnn_speed.py [--rounds N] [--write]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from stamp import stamp

from visavis import registry
from visavis.nn.backbones.table import SIZES
from visavis.nn.onnx_export import INPUT, export_onnx
from visavis.runtime.machine import machine

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
NAMES = ("light-cnn-9", "light-cnn-29", "light-cnn-29v2", "light-cnn-v4")
BATCHES = (1, 8)


def opened(name):
    """A session of one thread, and crops of each batch."""
    torch.manual_seed(0)
    network = registry.create(f"backbone/{name}").eval()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    data = export_onnx(network, size=128)
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    channels = network.contract.channels
    return session, {n: rng.random((n, channels, 128, 128), dtype=np.float32) for n in BATCHES}


def timed(session, crops):
    """Milliseconds of processor time a face."""
    start = time.process_time()
    session.run(None, {INPUT: crops})
    return 1e3 * (time.process_time() - start) / len(crops)


def page(record):
    """The record as a page."""
    lines = [
        "# Light CNN on one thread",
        "",
        "Made by `benchmarks/light_cnn_speed.py` from [its record](light-cnn-speed.json).",
        "",
        "| backbone | operations, billion | " + " | ".join(f"ms a face, batch of {n}" for n in BATCHES) + " |",
        "|---|---|" + "---|" * len(BATCHES),
    ]
    for row in record["rows"]:
        found = [row["ms"][str(n)] for n in BATCHES]
        cells = [f"{one['median']:.3g} ({one['low']:.3g} .. {one['high']:.3g})" for one in found]
        lines.append(f"| `{row['name']}` | {SIZES['backbone/' + row['name']].macs / 1e9:.3g} | {' | '.join(cells)} |")
    lines += [
        "",
        f"Processor time, median of {record['rounds']} interleaved rounds with the smallest and the largest; fp32, "
        f"ONNX Runtime {record['onnxruntime']}, one thread of {record['machine']['processor']}, "
        f"load {record['load']:.1f} before the run; {record['date']}, commit {record['commit']}.",
        "",
    ]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", action="store_true", help="Write the record and its page.")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    networks = {name: opened(name) for name in NAMES}
    times = {name: {n: [] for n in BATCHES} for name in NAMES}
    for turn in range(options.rounds + 1):  # the first is not counted
        for name, (session, crops) in networks.items():
            for n in BATCHES:
                took = timed(session, crops[n])
                if turn:
                    times[name][n].append(took)
    record = {
        **stamp(),
        "onnxruntime": version("onnxruntime"),
        "machine": machine(),
        "load": load,
        "rounds": options.rounds,
        "rows": [
            {
                "name": name,
                "ms": {
                    str(n): {"median": statistics.median(took), "low": min(took), "high": max(took)}
                    for n, took in found.items()
                },
            }
            for name, found in times.items()
        ],
    }
    print(page(record))
    if options.write:
        (RESULTS / "light-cnn-speed.json").write_text(json.dumps(record, indent=1) + "\n")
        (RESULTS / "light-cnn-speed.md").write_text(page(record))


if __name__ == "__main__":
    main()
